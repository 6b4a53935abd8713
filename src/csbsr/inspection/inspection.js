{
  const table = document.getElementById("photographs");
  if (table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const headings = [...table.tHead.rows[0].cells];
    const field = (id) => document.getElementById(id);

    const sort = (heading) => {
      const column = headings.indexOf(heading);
      const numbers = heading.dataset.kind === "number";
      const falling = heading.ariaSort ? heading.ariaSort === "ascending" : numbers;
      const key = (row) => row.cells[column].dataset.value;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
      rows.sort((a, b) => {
        const [first, second] = [key(a), key(b)];
        if (first === "" || second === "") return (first === "") - (second === "");
        const order = numbers ? first - second : first.localeCompare(second, undefined, { numeric: true });
        return falling ? -order : order;
      });
      body.append(...rows);
    };
    for (const heading of headings) {
      const button = heading.querySelector("button");
      if (button) button.addEventListener("click", () => sort(heading));
    }

    const filter = () => {
      const text = field("find").value.trim().toLowerCase();
      const least = Number(field("least").value) || 0;
      const level = field("class") ? field("class").value : "";
      let shown = 0;
      for (const row of rows) {
        const of = row.dataset;
        const fits = of.name.toLowerCase().includes(text) && Number(of.width) >= least && (level === "" || of.class === level)
          && (!field("cracked").checked || Number(of.cracks) > 0) && (!field("remarked").checked || Number(of.remarks) > 0);
        row.hidden = field(of.article).hidden = !fits;
        shown += fits;
      }
      field("shown").value = `${shown} of ${rows.length} shown`;
    };
    field("filters").addEventListener("input", filter);
    field("filters").addEventListener("submit", (event) => event.preventDefault());
    filter();
  }
}
