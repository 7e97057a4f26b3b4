// What is beside and on top of the picture: the story's steps, what was clicked, the search, what is shown.

const card = document.getElementById("card");
const found = document.getElementById("found");
const search = document.getElementById("search");

function element(name, text, more = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return Object.assign(made, more);
}

// ---- what was clicked ----------------------------------------------------------------------------------------------

const whom = (id) => (id ? `m${id}` : "a client");
const nobody = (id) => (id ? `m${id}` : "nobody");

// A title, and rows of name and value, about something on the picture. `undefined` rows are left out.
function about(item) {
  const { type, row } = item;
  const table = T[type];
  const at = table && row !== undefined ? moment(table.t[row], 6) : undefined;
  const of = table && table.member && row !== undefined ? `m${table.member[row]}` : undefined;
  switch (type) {
    case "message": {
      const fate = fateOf(row);
      const arrived = fate === 0 || fate > UNDER_WAY;
      const plain = (name) => table[name][row] || undefined;
      return [
        `${KINDS[table.kind[row]][0]}: ${whom(table.from[row])} → ${whom(table.to[row])}`,
        ["sent", at],
        ["delivered", fate === 0 ? moment(table.t[row] + table.lasts[row], 6) : undefined],
        ["took", arrived && table.lasts[row] ? span(table.lasts[row]) + (isLate(row) ? " (late)" : "") : undefined],
        ["fate", fate ? LOSSES[fate] : undefined],
        ["term", plain("term")],
        ["index", plain("index")],
        ["term at index", plain("logTerm")],
        ["entries", plain("entries")],
        ["commit", plain("commit")],
        ["answer", table.fate[row] & 1 ? "rejects" : undefined],
        ["operation", plain("operation") && `#${table.operation[row] - 1}`],
      ];
    }
    case "operation": {
      const end = table.lasts[row] < 0 ? undefined : moment(endOf(table, row), 6);
      const outcome = table.outcome[row];
      const applied = appliedAt(row).map(({ member, t, again }) => `m${member} ${moment(t, 6)}${again ? " (had it)" : ""}`);
      return [
        `#${table.number[row]} ${table.request.at(row)}`,
        ["client", table.client[row]],
        ["asked", table.member[row] ? `m${table.member[row]}` : undefined],
        ["called", at],
        [outcome < 2 ? "returned" : "gave up", end],
        ["took", outcome < 2 ? span(table.lasts[row]) : undefined],
        ["outcome", outcome === 2 ? "unknown: no answer came, so it may have taken effect, may still do so, or never does" : OUTCOMES[outcome]],
        [outcome === 1 ? "error" : "answer", table.answer.at(row) || undefined],
        ["entry", table.index[row] ? `index ${table.index[row]}, term ${table.term[row]}` : undefined],
        ["applied", applied.length ? applied.join(", ") : undefined],
      ];
    }
    case "fault": {
      const { fault } = item;
      return [
        nameOfFault(fault),
        ["from", moment(fault.t, 6)],
        ["to", fault.end > fault.t ? moment(fault.end, 6) : "over at once"],
        ["lasts", fault.end > fault.t ? span(fault.end - fault.t) : undefined],
        ["in the plan", fault.text || undefined],
        ["number", fault.fault],
      ];
    }
    case "role": {
      const { part, member } = item;
      return [
        `m${member}: ${roleText(part)}`,
        ["from", moment(part.t, 6)],
        ["to", moment(part.end, 6)],
        ["leader", part.role === DOWN ? undefined : nobody(part.leader)],
        ["start", part.incarnation ? `number ${part.incarnation}` : undefined],
      ];
    }
    case "job": {
      const bits = table.bits[row];
      const how = bits & FAILED ? "failed" : bits & UNFINISHED ? "was not done when the process ended" : bits & SYNCED ? "is on disk" : "is written, not synced";
      return [
        `m${table.member[row]}: disk job ${table.job[row]} ${how}`,
        [bits & ANY ? "done" : "begun", at],
        ["done", bits & (ANY | UNFINISHED) ? undefined : moment(endOf(table, row), 6)],
        ["took", bits & (ANY | UNFINISHED) ? undefined : span(table.lasts[row])],
        ["log up to", table.last[row] || undefined],
        ["term", table.term[row] || undefined],
        ["commit", table.commit[row] || undefined],
      ];
    }
    case "apply": {
      const bits = table.bits[row];
      const operation = T.operation.index.indexOf(table.index[row]);
      return [
        `${of} ${bits & 2 ? "applies" : "skips"} entry ${table.index[row]}`,
        ["at", at],
        ["term", table.term[row]],
        ["revision", table.revision[row] + (bits & 1 ? "" : " (unchanged)")],
        ["why", bits & 2 ? undefined : "its store has it"],
        ["operation", operation < 0 ? undefined : `#${T.operation.number[operation]} ${T.operation.request.at(operation)}`],
      ];
    }
    case "append": {
      const [first, last] = [table.first[row], table.last[row]];
      const which = first === last ? `entry ${first}` : `entries ${first} to ${last}`;
      return [`${of} appends ${which}`, ["at", at], ["term", table.term[row]]];
    }
    case "durable":
      return [`${of} has its store on disk up to index ${table.index[row]}`, ["at", at]];
    case "readAsked":
      return [`${of} asks for a read index`, ["at", at]];
    case "readConfirmed":
      return [`${of} has read index ${table.index[row]} confirmed`, ["at", at]];
    case "note":
      return [`${of} ${table.text.at(row)}`, ["at", at]];
    case "watch":
      return [
        `stream ${table.stream[row]} of client ${table.client[row]}`,
        ["at", table.member[row] ? `m${table.member[row]}` : undefined],
        ["watches", table.watched.at(row) || undefined],
        ["opened", at],
        ["ended", table.lasts[row] < 0 ? "open to the end" : moment(endOf(table, row), 6)],
        ["how", table.ended.at(row) || undefined],
      ];
    case "delivery":
      return [
        `stream ${table.stream[row]}: ${table.events[row] ? `${table.events[row]} events` : "no events"}, revision ${table.revision[row]}`,
        ["at", at],
        ["what", table.text.at(row)],
      ];
    case "lease":
      return [
        `lease ${table.id.at(row)} of client ${table.client[row]}`,
        ["lasts", `${table.seconds[row]} s without a renewal`],
        ["granted", at],
        ["renewed", `${of_("renewal", table.place[row]).length} times`],
        ["ended", table.lasts[row] < 0 ? "not before the end" : moment(endOf(table, row), 6)],
        ["how", table.ended.at(row) || undefined],
      ];
    default:
      return ["", []];
  }
}
const of_ = (name, key) => (OF[name].get(key) || NONE).rows;

function showCard(item) {
  view.selected = item;
  card.hidden = !item;
  if (!item) return;
  const [title, ...rows] = about(item);
  const list = element("dl");
  for (const [name, value] of rows)
    if (value !== undefined) list.append(element("dt", name), element("dd", String(value)));
  const close = element("button", "✕", { className: "close", type: "button", title: "Close (Esc)", onclick: () => select(null) });
  close.setAttribute("aria-label", "Close");
  card.replaceChildren(element("h2", title), list, close);
}

function select(item) {
  showCard(item);
  redraw();
}

function selectOperation(number) {
  const row = ROW_OF_OPERATION.get(number);
  if (row === undefined) return;
  const [t, end] = [T.operation.t[row], endOf(T.operation, row)];
  show(t, T.operation.outcome[row] === 2 ? t : end);
  view.now = t;
  reveal(laneOf.client.get(T.operation.client[row]));
  select({ type: "operation", row });
}

// ---- the story -----------------------------------------------------------------------------------------------------

STEPS.forEach((step) => {
  step.element.dataset.label = step.at + 1;
  const button = step.element.querySelector("button");
  if (button) button.onclick = () => go(step.at);
});
document.querySelectorAll("[data-operation]").forEach((button) => {
  button.onclick = () => selectOperation(Number(button.dataset.operation));
});

document.querySelectorAll("[data-at]").forEach((button) => {
  const t = Number((BigInt(button.dataset.at) - BASE) / BigInt(DATA.unit));
  button.textContent = moment(t);
  button.onclick = () => {
    view.now = t;
    show(t, t);
  };
});

// Scrolls the panel, and nothing else, so that an element of it is seen.
function bringIntoView(element) {
  const panel = document.querySelector("aside");
  const [inner, outer] = [element.getBoundingClientRect(), panel.getBoundingClientRect()];
  const top = outer.top + 50;
  if (inner.top < top) panel.scrollTop -= top - inner.top;
  else if (inner.bottom > outer.bottom) panel.scrollTop += inner.bottom - outer.bottom + 10;
}

// Moves the picture to a step of the story.
function go(at, still = false) {
  const step = STEPS[Math.max(0, Math.min(STEPS.length - 1, at))];
  if (!step) return;
  view.step = step.at;
  for (const { element } of STEPS) {
    element.classList.toggle("current", element === step.element);
    element.toggleAttribute("aria-current", element === step.element);
  }
  bringIntoView(step.element);
  document.getElementById("where").textContent = `Step ${step.at + 1} of ${STEPS.length}`;
  const row = ROW_OF_OPERATION.get(step.operation);
  if (!still) {
    if (step.t >= 0) {
      view.now = step.t;
      if (row !== undefined && step.t === T.operation.t[row]) show(step.t, Math.min(endOf(T.operation, row), step.t + 2 * SECOND));
      else show(step.t, step.t);
    }
    const stream = laneOf.stream.get(step.stream);
    const lane = row !== undefined ? laneOf.client.get(T.operation.client[row]) : stream || laneOf.member.get(step.member);
    reveal(lane);
    showCard(row === undefined ? null : { type: "operation", row });
  }
  document.documentElement.dataset.step = step.at;
  redraw();
}

// ---- lists ---------------------------------------------------------------------------------------------------------

function fillFaults() {
  const details = document.getElementById("faults");
  if (!FAULTS.length) return;
  details.hidden = false;
  details.querySelector("summary").textContent = `Faults that struck (${FAULTS.length})`;
  const list = element("ul");
  for (const fault of FAULTS.slice(0, 500)) {
    const text = `${moment(fault.t)}  ${nameOfFault(fault)}${fault.end > fault.t ? `, ${span(fault.end - fault.t)}` : ""}`;
    const item = element("li");
    item.append(element("button", text, { type: "button", onclick: () => {
      view.now = fault.t;
      show(fault.t, fault.end);
      select({ type: "fault", fault });
    } }));
    list.append(item);
  }
  if (FAULTS.length > 500) list.append(element("li", `and ${FAULTS.length - 500} more`));
  details.append(list);
}

function fillTypes() {
  const box = document.getElementById("types");
  if (!MEMBERS.length) return void (document.querySelector('[data-do="types"]').hidden = true);
  const option = (text, on, change, colour) => {
    const label = element("label");
    const input = element("input", undefined, { type: "checkbox", checked: on });
    input.onchange = () => {
      change(input.checked);
      redraw();
    };
    label.append(input);
    if (colour) label.append(Object.assign(element("i"), { style: `color: var(--${colour})` }));
    label.append(text);
    box.append(label);
  };
  box.append(element("b", "Messages"));
  for (const [group, text] of Object.entries(GROUPS))
    option(text, view.groups.has(group), (on) => (on ? view.groups.add(group) : view.groups.delete(group)), group);
  box.append(element("b", "Members"));
  option("Appends, commits and applied entries", view.log, (on) => (view.log = on));
  option("Disk jobs", view.disk, (on) => (view.disk = on));
  option("Reads, backend commits, probes", view.notes, (on) => (view.notes = on));
}

// Small pictures of what the help explains, drawn like the picture itself.
function fillLegend() {
  const legend = document.getElementById("legend");
  const entries = [
    ["leader", () => [colours.leader], colours.leader],
    ["follower", () => [colours.follower], colours.dim],
    ["candidate", ROLE_FILL[2], colours.dim],
    ["pre-candidate", ROLE_FILL[1], colours.dim],
    ["down", ROLE_FILL[4], colours.dim],
    ["paused", () => [pattern("upright", colours.ink, 1.4)], colours.ink],
    ["fault", () => [pattern("rising", colours.fault, 0.8)], colours.fault],
    ["operation, answered", () => [colours.op], colours.dim],
    ["operation, failed", () => [colours["op-failed"], pattern("rising", colours.ink, 0.5)], colours.dim],
    ["operation, outcome unknown", () => [colours["op-unknown"], pattern("level", colours.ink, 0.6)], colours.dim],
    ["operation of the story", () => [colours["told-fill"]], colours.told],
    ["disk write that was lost with its process", () => [pattern("crossed", colours.bad, 0.8)], colours.bad],
  ];
  legend.replaceChildren();
  for (const [text, fills, stroke] of entries) {
    const tile = element("canvas", undefined, { width: 40, height: 15 });
    const ink = tile.getContext("2d");
    for (const fill of fills()) {
      ink.fillStyle = fill;
      ink.fillRect(0, 0, 40, 15);
    }
    ink.strokeStyle = stroke;
    ink.strokeRect(0.5, 0.5, 39, 14);
    const item = element("span");
    item.append(tile, text);
    legend.append(item);
  }
  const more = [
    "On a member's lane: bars up are appended entries, bars down applied ones; below are disk jobs, with an end bar when synced, and reads, backend commits and probes.",
    "Messages that were lost end in a cross on the way; late ones are dashed and say so.",
  ];
  for (const text of more) legend.append(Object.assign(element("span", text), { style: "grid-column: 1 / 3" }));
}

function tellKept() {
  const box = document.getElementById("kept");
  if (!box) return;
  const names = ["what members and faults did", "operations", "messages and steps"];
  const parts = DATA.kept.flatMap((kept, at) => (kept.length ? [`${names[at]} from ${moment(kept[0])} to ${moment(kept[1])}`] : []));
  box.textContent = `It has ${parts.join("; ")}.`;
}

// ---- the search ----------------------------------------------------------------------------------------------------

let matches = [];
let match = -1;

// What a text finds: moments with what is there.
function find(query) {
  const text = query.trim().toLowerCase();
  if (!text) return [];
  const number = /^#(\d+)$/.exec(text);
  if (number) {
    const row = ROW_OF_OPERATION.get(Number(number[1]));
    return row === undefined ? [] : [{ t: T.operation.t[row], item: { type: "operation", row } }];
  }
  const time = /^(\d+(?:\.\d+)?)\s*(s|ms)?$/.exec(text);
  if (time && (time[2] || text.includes("."))) {
    const seconds = Number(time[1]) / (time[2] === "ms" ? 1e3 : 1);
    return [{ t: ((seconds - BASE_SECONDS) * 1e9 - BASE_NANOS) / DATA.unit, item: null }];
  }
  const index = /^(?:index|entry)\s+(\d+)$/.exec(text);
  const results = [];
  const add = (type, test) => {
    for (let row = 0; row < T[type].n && results.length < 5000; row++) if (test(row)) results.push({ t: T[type].t[row], item: { type, row } });
  };
  if (index) {
    const wanted = Number(index[1]);
    add("operation", (row) => T.operation.index[row] === wanted);
    add("append", (row) => T.append.first[row] <= wanted && wanted <= T.append.last[row]);
    add("apply", (row) => T.apply.index[row] === wanted);
  } else {
    const client = /^client\s+(\d+)$/.exec(text);
    if (client) add("operation", (row) => T.operation.client[row] === Number(client[1]));
    else add("operation", (row) => textOf(row).toLowerCase().includes(text));
    add("watch", (row) => `stream ${T.watch.stream[row]} ${T.watch.watched.at(row)}`.toLowerCase().includes(text));
    add("delivery", (row) => T.delivery.text.at(row).toLowerCase().includes(text));
    add("lease", (row) => `lease ${T.lease.id.at(row)}`.includes(text));
    add("note", (row) => T.note.text.at(row).toLowerCase().includes(text));
    const kinds = KINDS.map(([name]) => name.includes(text));
    if (kinds.some(Boolean)) add("message", (row) => kinds[T.message.kind[row]]);
    for (const fault of FAULTS)
      if (`${nameOfFault(fault)} ${fault.text}`.toLowerCase().includes(text)) results.push({ t: fault.t, item: { type: "fault", fault } });
  }
  return results.sort((a, b) => a.t - b.t);
}

function searched() {
  matches = find(search.value);
  match = -1;
  view.found = new Set(matches.filter(({ item }) => item && item.type === "operation").map(({ item }) => T.operation.number[item.row]));
  found.textContent = search.value.trim() ? (matches.length ? `${matches.length}` : "none") : "";
  redraw();
}

function toMatch(by) {
  if (!matches.length) return;
  // The first match is the one after the middle of the window.
  if (match < 0) match = by > 0 ? matches.findIndex(({ t }) => t >= (view.t0 + view.t1) / 2) : -1;
  else match += by;
  match = (match + matches.length) % matches.length;
  const { t, item } = matches[match];
  found.textContent = `${match + 1} of ${matches.length}`;
  view.now = t;
  show(t, t);
  if (item && item.type === "operation") reveal(laneOf.client.get(T.operation.client[item.row]));
  if (item && item.type === "watch") reveal(laneOf.stream.get(T.watch.stream[item.row]));
  select(item);
}
