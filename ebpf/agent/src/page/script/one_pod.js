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
