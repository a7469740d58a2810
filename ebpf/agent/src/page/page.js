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

const COLUMNS = [
  { key: "name", title: "Pod", text: true },
  { key: "receive", title: "Receive", show: (row) => bits(row.rate[0]), of: (row) => row.rate[0] },
  { key: "transmit", title: "Send", show: (row) => bits(row.rate[1]), of: (row) => row.rate[1] },
  { key: "packets", title: "Packets", narrow: true,
    show: (row) => packets(row.rate[2] + row.rate[3]), of: (row) => row.rate[2] + row.rate[3] },
  { key: "received", title: "Received", narrow: true,
    show: (row) => bytes(row.total[0]), of: (row) => row.total[0] },
  { key: "sent", title: "Sent", narrow: true,
    show: (row) => bytes(row.total[1]), of: (row) => row.total[1] },
];

function allPods() {
  $("all").hidden = false;
  const rows = new Map();
  const sort = { key: "receive", down: true };
  let shown = STEP;
  let last = null;

  const paused = pausing($("pause"), () => { if (!paused() && last) { draw(); } });
  const heads = COLUMNS.map((column) => {
    const button = element("button", { type: "button", text: column.title });
    button.addEventListener("click", () => {
      sort.down = sort.key === column.key ? !sort.down : !column.text;
      sort.key = column.key;
      draw();
    });
    const classes = `${column.text ? "" : "number"} ${column.narrow ? "narrow-off" : ""}`;
    return element("th", { scope: "col", class: classes }, button);
  });
  const minute = element("th", { scope: "col", class: "narrow-off" },
    element("span", { class: "key-receive", text: "receive" }), " ",
    element("span", { class: "key-transmit", text: "send" }));
  $("heads").replaceChildren(...heads, minute);
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("filter").addEventListener("input", () => { shown = STEP; draw(); });
  $("with-containers").addEventListener("change", () => draw());
  $("more").addEventListener("click", () => { shown += STEP; draw(); });

  function take(identity) {
    const known = rows.get(identity.id);
    rows.set(identity.id, {
      identity,
      pod: `${identity.namespace}/${identity.pod}`,
      words: [identity.namespace, identity.pod, identity.name, identity.network, identity.workload]
        .filter(Boolean).join(" ").toLowerCase(),
      rate: known ? known.rate : [0, 0, 0, 0],
      total: known ? known.total : [0, 0],
      history: known ? known.history : [[], []],
      seen: known ? known.seen : false,
      line: null,
    });
    if (known && known.line) known.line.row.remove();
  }

  function rates(of) {
    const known = [...rows.values()].filter((row) => row.seen);
    for (const row of rows.values()) row.rate = [0, 0, 0, 0];
    for (const [id, a, b, c, d, receive, transmit] of of) {
      const row = rows.get(id);
      if (row) { row.rate = [a, b, c, d]; row.total = [receive, transmit]; }
    }
    // Of one that was never seen before there is no rate yet.
    for (const row of known) remember(row.history, row.rate);
    for (const row of rows.values()) row.seen = true;
  }

  function line(row) {
    const { identity } = row;
    const isContainer = identity.kind === "container";
    const link = element("a", { href: podLink(identity.namespace, identity.pod),
      text: identity.namespace === "" ? identity.pod : `${identity.namespace}/${identity.pod}` });
    const name = isContainer ? element("th", { scope: "row", text: identity.name })
      : element("th", { scope: "row" }, link, " ", element("span", { class: "of", text: identity.name }));
    const notes = [["ended", identity.ended], ["estimated", identity.estimated],
      ["not told apart", identity.overflowed],
      ["not counted", identity.mode && identity.mode.includes("off")],
      ["by the device", identity.mode && identity.mode.includes("device")]];
    name.append(...notes.filter(([, is]) => is).map(([text]) => element("span", { class: "note", text })));
    const cells = COLUMNS.slice(1).map((column) =>
      element("td", { class: `number ${column.narrow ? "narrow-off" : ""}` }));
    const spark = sparkline(120, 22);
    const made = element("tr", { class: `${identity.kind} ${identity.ended ? "ended" : ""}` },
      name, ...cells, element("td", { class: "narrow-off" }, spark.svg));
    return { row: made, cells, spark };
  }

  function refresh(row) {
    row.line ??= line(row);
    COLUMNS.slice(1).forEach((column, at) => {
      const cell = row.line.cells[at];
      const text = column.show(row);
      if (cell.textContent !== text) cell.textContent = text;
      cell.classList.toggle("zero", column.of(row) === 0);
    });
    row.line.spark.draw(row.history.slice(0, 2));
    return row.line.row;
  }

  function ordered() {
    const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (row) => words.every((word) => row.words.includes(word));
    const withContainers = $("with-containers").checked;
    const found = [...rows.values()].filter(fits);
    const pods = found.filter((row) => row.identity.kind === "interface");
    const containers = Map.groupBy
      ? Map.groupBy(found.filter((row) => row.identity.kind === "container"), (row) => row.pod)
      : found.filter((row) => row.identity.kind === "container")
        .reduce((map, row) => map.set(row.pod, [...(map.get(row.pod) ?? []), row]), new Map());
    const column = COLUMNS.find((of) => of.key === sort.key);
    const byName = (a, b) => (a.pod < b.pod ? -1 : a.pod > b.pod ? 1 : a.identity.id - b.identity.id);
    pods.sort(column.text ? (sort.down ? (a, b) => byName(b, a) : byName)
      : (a, b) => (sort.down ? -1 : 1) * (column.of(a) - column.of(b)) || byName(a, b));
    if (!withContainers) return { order: pods, pods: pods.length };
    const order = [];
    for (const pod of pods) {
      order.push(pod, ...(containers.get(pod.pod) ?? []));
      containers.delete(pod.pod);
    }
    // Of containers that fit without their pod, and of pods without an interface of their own.
    order.push(...[...containers.values()].flat());
    return { order, pods: pods.length };
  }

  function draw() {
    const { order, pods } = ordered();
    const visible = order.slice(0, shown);
    const focused = document.activeElement;
    const wanted = visible.map(refresh);
    const body = $("rows");
    // Rows that are in their place are not moved: a focus or a selection in them stays.
    wanted.forEach((row, at) => {
      if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
    });
    while (body.children.length > wanted.length) body.lastElementChild.remove();
    if (body.contains(focused)) focused.focus({ preventScroll: true });
    COLUMNS.forEach((column, at) => {
      const is = sort.key === column.key;
      heads[at].setAttribute("aria-sort", is ? (sort.down ? "descending" : "ascending") : "none");
      heads[at].firstChild.textContent = `${column.title}${is ? (sort.down ? " ↓" : " ↑") : ""}`;
    });
    const text = `${count(pods)} ${pods === 1 ? "interface" : "interfaces"}`;
    if ($("count").textContent !== text) $("count").textContent = text;
    $("more").hidden = order.length <= shown;
    $("more").textContent = `Show ${Math.min(STEP, order.length - shown)} more of ${count(order.length)} rows`;
    $("empty").hidden = order.length > 0;
    $("empty").textContent = rows.size === 0 ? "No container is counted on this node." : "Nothing fits the filter.";
    $("table").hidden = order.length === 0;
  }

  function next(data) {
    last = data;
    showNode(data.node, data.taken);
    if (paused()) showState("Paused");
    else draw();
  }

  listen("", {
    hello(data) {
      const ids = new Set(data.rows.map((row) => row.id));
      for (const id of rows.keys()) if (!ids.has(id)) rows.delete(id);
      data.rows.forEach(take);
      rates(data.rates);
      next(data);
    },
    tick(data) {
      data.del.forEach((id) => rows.delete(id));
      data.add.forEach(take);
      rates(data.rates);
      next(data);
    },
  });
}

// One pod.

const WAYS = [["receive", "Receive"], ["transmit", "Send"]];
const SCOPES = [["sameNode", "this node"], ["cluster", "cluster"], ["external", "external"], ["other", "other"]];

function onePod(namespace, pod) {
  $("one").hidden = false;
  const title = namespace === "" ? pod : `${namespace}/${pod}`;
  $("pod-name").textContent = title;
  const query = `?namespace=${encodeURIComponent(namespace)}&pod=${encodeURIComponent(pod)}`;
  $("pod-json").href = `/api/v1/traffic${query}`;
  const parts = new Map();
  let before = new Map();
  let takenBefore = 0;
  const paused = pausing($("pod-pause"), () => {});

  function part(key, heading) {
    let known = parts.get(key);
    if (!known) {
      const chart = sparkline(600, 110);
      const legend = element("p", { class: "legend" });
      const table = element("table");
      const facts = element("dl");
      const box = element("section", {}, element("h3", { text: heading }), facts,
        element("div", { class: "chart" }, chart.svg, legend),
        element("div", { class: "wide" }, table));
      known = { box, chart, legend, table, facts, history: [[], []] };
      parts.set(key, known);
    }
    return known;
  }

  function table(of, caption, heads, rows) {
    const cells = (row) => row.map((text, at) =>
      element(at === 0 ? "th" : "td", at === 0 ? { scope: "row", text } : { class: "number", text }));
    of.replaceChildren(element("caption", { text: caption }),
      element("thead", {}, element("tr", {}, ...heads.map((text, at) =>
        element("th", { scope: "col", class: at === 0 ? "" : "number", text })))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row)))));
  }

  function rate(key, now, seconds) {
    const old = before.get(key);
    return old === undefined || seconds <= 0 || now < old ? 0 : (now - old) / seconds;
  }

  function draw(known, totals, key, seconds) {
    const rates = totals.map((total, at) => rate(`${key}/${at}`, total, seconds));
    if (before.has(`${key}/0`) && seconds > 0) remember(known.history, rates);
    const most = known.chart.draw(known.history);
    known.legend.replaceChildren(
      element("span", { class: "key-receive", text: `Receive ${bits(rates[0])}` }),
      element("span", { class: "key-transmit", text: `Send ${bits(rates[1])}` }),
      element("span", { class: "of", text: `top of the last minute: ${bits(most)}` }));
  }

  function interfacePart(of, seconds, now) {
    const key = `${of.container}/${of.interface}/${of.created}`;
    const known = part(key, `Interface ${of.interface}`);
    const totals = WAYS.map(([way]) => of[way].total.bytes);
    totals.forEach((total, at) => now.set(`${key}/${at}`, total));
    draw(known, totals, key, seconds);
    const facts = [["Network", `${of.network} (${of.driver}, ${of.ipFamily})`],
      ["Workload", of.workload || "none"],
      ["Counted by", of.mode.receive === of.mode.transmit ? of.mode.receive : `${of.mode.receive} and ${of.mode.transmit}`],
      ["Since", new Date(of.created).toLocaleString()], ["Uid", of.uid || "none"]];
    if (of.drift) facts.push(["Drift", `${percent(of.drift.receive)} and ${percent(of.drift.transmit)}`]);
    const notes = [["ended", of.ended], ["estimated", of.estimated], ["not told apart from others", of.overflowed]];
    for (const [text, is] of notes) if (is) facts.push(["Note", text]);
    known.facts.replaceChildren(...facts.map(([name, text]) =>
      element("div", {}, element("dt", { text: name }), element("dd", { text }))));
    const rows = WAYS.flatMap(([way, title]) => SCOPES.map(([scope, where]) => {
      const { bytes: all, packets: number } = of[way].scopes[scope];
      const place = `${key}/${way}/${scope}`;
      now.set(place, all);
      return [`${title}, ${where}`, bits(rate(place, all, seconds)), bytes(all), count(number)];
    }));
    for (const [way, title] of WAYS) {
      for (const { protocol, family, bytes: all, packets: number } of of[way].detail ?? []) {
        const place = `${key}/${way}/${protocol}/${family}`;
        now.set(place, all);
        rows.push([`${title}, ${protocol} ${family}`, bits(rate(place, all, seconds)), bytes(all), count(number)]);
      }
      const device = of[way].device;
      if (device) rows.push([`${title}, by the device`, "", bytes(device.bytes), count(device.packets)],
        [`${title}, dropped and wrong`, "", "", `${count(device.dropped)} and ${count(device.errors)}`]);
    }
    table(known.table, `Interface ${of.interface}`, ["", "Now", "Bytes", "Packets"], rows);
    return known.box;
  }

  function containerPart(of, seconds, now) {
    const key = `container/${of.container}/${of.created}`;
    const known = part(key, `Container ${of.container}`);
    const totals = WAYS.map(([way]) => of[way].bytes);
    totals.forEach((total, at) => now.set(`${key}/${at}`, total));
    draw(known, totals, key, seconds);
    const rows = WAYS.map(([way, title]) => [title, bytes(of[way].bytes), count(of[way].packets)]);
    rows.push(...WAYS.map(([way, title]) => [`${title}, loopback`, bytes(of.loopback[way].bytes), count(of.loopback[way].packets)]));
    table(known.table, `Container ${of.container}`, ["", "Bytes (from the IP header on)", "Packets"], rows);
    return known.box;
  }

  listen(query, {
    pod(data) {
      showNode(data.node, data.taken);
      document.title = `Berth traffic: ${title}`;
      const taken = Date.parse(data.taken);
      const seconds = takenBefore === 0 ? 0 : (taken - takenBefore) / 1000;
      if (takenBefore !== 0 && taken === takenBefore) return;
      const now = new Map();
      const boxes = [...data.interfaces.map((of) => interfacePart(of, seconds, now)),
        ...data.containers.map((of) => containerPart(of, seconds, now))];
      [before, takenBefore] = [now, taken];
      if (paused()) { showState("Paused"); return; }
      if (boxes.length === 0) boxes.push(element("p", { text: "There is no such pod on this node, or it has ended." }));
      const box = $("pod");
      if (boxes.length !== box.children.length || boxes.some((of, at) => box.children[at] !== of)) {
        box.replaceChildren(...boxes);
      }
    },
  });
}

function partOf(path) {
  return decodeURIComponent(path).replace(/^-/, "");
}

const path = window.location.pathname.split("/");
if (path[1] === "pods" && path.length === 4) onePod(partOf(path[2]), partOf(path[3]));
else allPods();
