// The table of all pods.

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
