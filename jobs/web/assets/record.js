// Names for what Datasette's forms leave without one, headings in order, tables that a keyboard can scroll, and the names of their
// columns above the values: on the right where those are numbers.
"use strict";
addEventListener("load", () => {
  const names = [
    [".filter-row select[name^=_filter_column]", "Column to filter by"],
    [".filter-row select[name^=_filter_op]", "Comparison"],
    [".filter-row input[name^=_filter_value]", "Value to compare with"],
    ["#sort_by", "Sort by"],
    [".CodeMirror textarea", "SQL query"],
    [".dropdown-menu-icon", "Menu of the column"],
    [".facet-info-name a.cross", "Remove this facet"],
    [".filter-row a", "Remove this filter"],
  ];
  for (const [selector, name] of names) {
    for (const element of document.querySelectorAll(selector)) element.setAttribute("aria-label", name);
  }
  for (const heading of document.querySelectorAll("main h3")) heading.setAttribute("aria-level", "2");
  for (const cell of document.querySelectorAll(".rows-and-columns tbody tr:first-child td:has(.number)")) {
    cell.closest("table").tHead?.rows[0].cells[cell.cellIndex].classList.add("of-numbers");
  }
  for (const table of document.querySelectorAll(".table-wrapper")) {
    table.tabIndex = 0;
    table.setAttribute("role", "region");
    table.setAttribute("aria-label", "Rows");
  }
});
