// Shows what the agent says each second. Whatever it says is put into text nodes and attributes of
// numbers: a name is never read as markup.

const POINTS = 60;
const STEP = 100;
const $ = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "text") made.textContent = value;
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function scaled(number, base, units) {
  let at = 0;
  while (number >= base && at < units.length - 1) { number /= base; at += 1; }
  const digits = at === 0 || number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return `${number.toFixed(digits)} ${units[at]}`;
}
const bits = (bytes) => scaled(bytes * 8, 1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
const packets = (number) => scaled(number, 1000, ["/s", "k/s", "M/s", "G/s"]);
const bytes = (number) => scaled(number, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]);
const count = (number) => number.toLocaleString("en");
const percent = (ratio) => `${(ratio * 100).toFixed(2)} %`;

// A line of the last minute; `most` is the top.
const SVG = "http://www.w3.org/2000/svg";
function sparkline(width, height) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const lines = ["receive", "transmit"].map((way) => {
    const line = document.createElementNS(SVG, "polyline");
    line.setAttribute("class", way);
    svg.append(line);
    return line;
  });
  const draw = (histories) => {
    const most = Math.max(1, ...histories.flat());
    histories.forEach((history, at) => {
      const from = POINTS - history.length;
      const points = history.map((value, x) => {
        const across = ((from + x) / (POINTS - 1)) * width;
        const up = height - 1 - (value / most) * (height - 2);
        return `${across.toFixed(1)},${up.toFixed(1)}`;
      });
      lines[at].setAttribute("points", points.join(" "));
    });
    return most;
  };
  return { svg, draw };
}

function remember(histories, values) {
  histories.forEach((history, at) => {
    history.push(values[at]);
    if (history.length > POINTS) history.shift();
  });
}

function podLink(namespace, pod) {
  // A path cannot have an empty part, nor one of dots: these have a dash in front, and so has
  // whatever begins with one.
  const part = (name) => (/^(\.{0,2}|-.*)$/s.test(name) ? "-" : "") + encodeURIComponent(name);
  return `/pods/${part(namespace)}/${part(pod)}`;
}

function showNode(node, taken) {
  document.title = `Berth traffic: ${node.name}`;
  $("node-name").textContent = node.name;
  const covered = node.recorded === 0 || node.counted >= node.recorded;
  const facts = [
    ["Mode", node.modes.join(", ") || "none", node.modes.includes("off")],
    ["Counted", `${count(node.counted)} of ${count(node.recorded)}`, !covered],
    ["Drift", node.drift === undefined ? "not checked" : percent(node.drift), node.drift > 0.02],
    ["Kernel", node.kernel || "unknown", false],
    ["Agent", node.version, false],
  ];
  $("node").replaceChildren(...facts.map(([name, value, bad]) => element("div", {},
    element("dt", { text: name }), element("dd", { text: value, class: bad ? "bad" : "" }))));
  const words = node.degraded;
  if ($("degraded").dataset.words !== words.join("\n")) {
    $("degraded").dataset.words = words.join("\n");
    $("degraded").replaceChildren(...words.map((text) => element("li", { text })));
  }
  $("degraded").hidden = words.length === 0;
  $("state").dataset.taken = taken;
}

function showState(text, bad = false) {
  // Only what changed: a screen reader says it each time.
  if ($("state").textContent !== text) $("state").textContent = text;
  $("state").classList.toggle("bad", bad);
}

function listen(query, handlers) {
  const source = new EventSource(`/api/v1/stream${query}`);
  for (const [name, handler] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => {
      showState("Live");
      handler(JSON.parse(event.data));
    });
  }
  source.addEventListener("error", () => {
    showState("The agent does not answer; trying again", true);
    // After an answer that is no stream the browser gives up by itself.
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => listen(query, handlers), 5000);
    }
  });
}

function pausing(button, onChange) {
  button.addEventListener("click", () => {
    const paused = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", paused);
    button.textContent = paused ? "Paused" : "Pause";
    onChange();
  });
  return () => button.getAttribute("aria-pressed") === "true";
}

// All pods.
