// Draws /status.json about once a second. What comes from the stream goes in as text, never as markup.
"use strict";

const INTERVAL_MS = 1000;
const HISTORY_MAX = 300;
const TABLES_MAX = 200;
const history = [];
let lastTables = new Map();

const byId = (id) => document.getElementById(id);

function show(id, text) {
  byId(id).textContent = text;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function number(value) {
  return value.toLocaleString("en-US", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    ++unit;
  }
  return `${number(value)} ${units[unit]}`;
}

function duration(seconds) {
  if (seconds < 1 && seconds > 0) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${number(seconds)} s`;
  if (seconds < 7200) return `${number(seconds / 60)} min`;
  if (seconds < 172800) return `${number(seconds / 3600)} h`;
  return `${number(seconds / 86400)} days`;
}

function rateOf(now, before, seconds) {
  return before === undefined || seconds <= 0 ? 0 : Math.max(0, now - before) / seconds;
}

function drawLine(id, topId, values, format) {
  const top = Math.max(...values, 0);
  const points = values.map((value, i) => {
    const x = 300 - (values.length - 1 - i) * (300 / (HISTORY_MAX - 1));
    const y = 58 - (top > 0 ? (value / top) * 54 : 0);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  byId(id).firstElementChild.setAttribute("points", points.join(" "));
  show(topId, `(at most ${format(top)})`);
}

function drawBars(id, rows) {
  const top = Math.max(...rows.map((row) => row.value), 0);
  byId(id).replaceChildren(...rows.flatMap((row) => {
    const bar = element("span", "", "bar");
    bar.style.width = `${top > 0 ? (row.value / (row.of ?? top)) * 100 : 0}%`;
    return [element("span", row.name, "quiet"), bar, element("span", row.text)];
  }));
}

function drawHistogram(histogram) {
  const bounds = histogram.bounds_seconds;
  const count = histogram.counts.reduce((sum, one) => sum + one, 0);
  drawBars("histogram", histogram.counts.map((value, i) => ({
    name: i < bounds.length ? `up to ${duration(bounds[i])}` : "longer",
    value,
    text: number(value),
  })));
  show("histogram_sum",
       count > 0 ? `${number(count)} batches, on average ${duration(histogram.sum_seconds / count)}` : "");
}

function drawSlot(state) {
  const slot = state.slot;
  const facts = [["name", state.slot_name]];
  const meter = byId("slot_meter");
  meter.hidden = true;
  if (!slot) facts.push(["state", "not seen yet"]);
  if (slot && !slot.exists) facts.push(["state", "it is not there"]);
  if (slot && slot.exists) {
    facts.push(["wal_status", slot.wal_status], ["active", slot.active ? "yes" : "no"],
               ["keeps", `${bytes(slot.retained_bytes)} of WAL`]);
    if (slot.safe_wal_bytes !== null) {
      const left = Math.max(slot.safe_wal_bytes, 0);
      facts.push(["until invalidated", bytes(left)]);
      meter.hidden = false;
      meter.value = slot.retained_bytes + left > 0 ? slot.retained_bytes / (slot.retained_bytes + left) : 0;
    } else if (slot.wal_status === "lost") {
      facts.push(["until invalidated", "it is lost"]);
    } else {
      facts.push(["until invalidated", "no limit: the server's disk is the bound"]);
    }
    if (slot.wal_bytes_per_second !== null)
      facts.push(["WAL written", `${bytes(slot.wal_bytes_per_second)}/s`]);
    if (slot.invalidated_in_seconds !== null)
      facts.push(["invalidated in", `about ${duration(slot.invalidated_in_seconds)} at this rate`]);
    facts.push(["confirmed", slot.confirmed_flush_lsn],
               ["seen", new Date(slot.seen_at).toLocaleTimeString()]);
  }
  byId("slot").replaceChildren(
      ...facts.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
}

function drawSnapshot(snapshot) {
  const section = byId("snapshot_section");
  section.hidden = !snapshot || snapshot.tables.length === 0;
  if (section.hidden) return;
  show("snapshot_share", `${Math.floor(snapshot.share * 100)} %`);
  const open = snapshot.tables.filter((table) => !table.complete);
  drawBars("snapshot", (open.length > 0 ? open : snapshot.tables).slice(0, TABLES_MAX).map((table) => ({
    name: table.table,
    value: table.complete ? 1 : table.parts_done / Math.max(table.part_count, 1),
    of: 1,
    text: `${number(table.rows)} rows`,
  })));
}

function drawTables(state, seconds) {
  const tables = state.tables.map((table) => ({
    ...table, rate: rateOf(table.rows, lastTables.get(table.table)?.rows, seconds),
  }));
  lastTables = new Map(state.tables.map((table) => [table.table, table]));
  tables.sort((a, b) => b.rate - a.rate || b.rows - a.rows);
  byId("tables").replaceChildren(...tables.slice(0, TABLES_MAX).map((table) => {
    const row = element("tr");
    row.dataset.table = table.table;
    row.append(element("td", table.table), element("td", number(table.rows)),
               element("td", number(table.rate)), element("td", bytes(table.bytes)),
               element("td", number(table.batches)));
    return row;
  }));
  const more = tables.length > TABLES_MAX ? `${tables.length - TABLES_MAX} more tables; ` : "";
  show("counts", `${more}reconnects ${number(state.reconnects)}, ` +
       `values without an Arrow form ${number(state.unrepresentable_values)}, ` +
       `rows of other tables ${number(state.passed_over_rows)}, ` +
       `rows that came again ${number(state.repeated_rows)}, ` +
       `tables that are not published ${number(state.unpublished_tables)}, ` +
       `changes of columns ${number(state.schema_changes)}`);
}

function drawEvents(events) {
  byId("events").replaceChildren(...events.slice().reverse().map((event) => {
    const item = element("li", undefined, event.level);
    const at = element("time", new Date(event.at).toLocaleString());
    at.dateTime = event.at;
    item.append(at, event.object ? `${event.object}: ${event.text}` : event.text);
    return item;
  }));
}

function draw(state) {
  const at = Date.parse(state.at);
  const before = history.at(-1);
  const seconds = before ? (at - before.at) / 1000 : 0;
  const rate = rateOf(state.rows, before?.rows, seconds);
  history.push({ at, rows: state.rows, rate, lag: state.lag_seconds });
  if (history.length > HISTORY_MAX) history.shift();

  document.title = `${state.slot_name} – ${state.phase} – arrowcdc`;
  byId("phase").className = `chip ${state.phase}`;
  show("phase", state.phase);
  show("why", state.ready || state.why_not_ready === state.phase ? "" : state.why_not_ready);
  show("what", [state.database, state.slot_name, state.plugin, state.sink].filter(Boolean).join(" · "));
  show("lag_seconds", duration(state.lag_seconds));
  show("lag_bytes", `${bytes(state.lag_bytes)} of WAL`);
  show("rows", number(state.rows));
  show("rows_per_s", `${number(rate)} a second`);
  show("received", bytes(state.received_bytes));
  show("queue", `${bytes(state.queue_bytes)} waiting`);
  show("durable_lsn", state.durable_lsn ?? "–");
  show("server_lsn", `server ${state.server_lsn ?? "–"}`);
  drawLine("rate_chart", "rate_top", history.map((one) => one.rate), number);
  drawLine("lag_chart", "lag_top", history.map((one) => one.lag), duration);
  drawHistogram(state.commit_to_durable);
  drawSlot(state);
  drawSnapshot(state.snapshot);
  drawTables(state, seconds);
  drawEvents(state.events);
  show("footer", `arrowcdc ${state.version}, since ${new Date(state.begun_at).toLocaleString()}`);
}

async function look() {
  try {
    const answer = await fetch("status.json", { cache: "no-store" });
    draw(await answer.json());
  } catch (error) {
    byId("phase").className = "chip gone";
    show("phase", "no answer");
    show("why", "the command has ended, or cannot be reached");
  }
  setTimeout(look, INTERVAL_MS);
}

look();
