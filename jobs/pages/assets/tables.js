// Lets a table with `data-sortable` be sorted by its headers, and searched by the field that names it in `data-search`.
// A header says what its column holds, `data-kind` text or number, and `data-key` which element of a cell counts.
// Without this script the table is complete, in the order that it was written in.
"use strict";
(() => {
  const text = (cell, key) => ((key ? cell.querySelector(key) : cell)?.textContent ?? "").trim();
  const number = (cell, key) => Number.parseFloat(text(cell, key).replace(/[^\d.eE+-]/g, ""));

  function sorted(rows, column, isText, isUp, key) {
    const keyed = rows.map((row) => [(isText ? text : number)(row.cells[column], key), row]);
    const isNothing = (key) => key === "" || Number.isNaN(key);
    keyed.sort(([a], [b]) => {
      if (isNothing(a) || isNothing(b)) return isNothing(a) - isNothing(b); // what has no value stays at the end
      const order = isText ? a.localeCompare(b) : a - b;
      return isUp ? order : -order;
    });
    return keyed.map(([, row]) => row);
  }

  function sortBy(table, head) {
    const isText = head.dataset.kind === "text";
    const isUp = head.ariaSort ? head.ariaSort === "descending" : isText;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const body = table.tBodies[0];
    body.append(...sorted([...body.rows], head.cellIndex, isText, isUp, head.dataset.key));
  }

  function makeSortable(table) {
    for (const head of table.tHead.rows[0].cells) {
      if (!head.dataset.kind) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(table, head));
      head.append(button);
    }
  }

  function makeSearchable(field) {
    const table = document.getElementById(field.dataset.search);
    const told = document.getElementById(`${field.dataset.search}-found`);
    const rows = [...table.tBodies[0].rows].map((row) => [row, row.cells[0].textContent.trim().toLowerCase()]);
    const search = () => {
      const words = field.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
      let count = 0;
      for (const [row, name] of rows) {
        row.hidden = words.length > 0 && !words.some((word) => name.includes(word));
        count += row.hidden ? 0 : 1;
      }
      if (told) told.textContent = words.length ? `${count} of ${rows.length}` : "";
    };
    field.closest("[hidden]")?.removeAttribute("hidden");
    field.addEventListener("input", search);
    field.addEventListener("keydown", (event) => { // Enter opens the ticker of that name, or the only one that is left
      if (event.key !== "Enter") return;
      const left = rows.filter(([row]) => !row.hidden);
      const found = left.find(([, name]) => name === field.value.trim().toLowerCase()) ?? (left.length === 1 ? left[0] : null);
      found?.[0].querySelector("a")?.click();
    });
    search(); // a browser may have kept what was typed
  }

  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
  document.querySelectorAll("input[data-search]").forEach(makeSearchable);
})();
