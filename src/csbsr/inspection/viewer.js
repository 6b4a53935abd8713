{
  const choosers = new Map();
  const ZOOM = 1.4, DEEPEST = 16, CLICK = 5, REACH = 14, BAR = 160; // pixels of the screen; DEEPEST to one of the preview

  const viewing = (figure) => {
    const svg = figure.querySelector(".view");
    const [bar, arrow] = [svg.querySelector(".bar"), svg.querySelector(".north")];
    const cracks = [...svg.querySelectorAll(".crack")];
    const button = (name) => figure.querySelector(`[data-do="${name}"]`);
    const size = { width: Number(svg.dataset.width), height: Number(svg.dataset.height) };
    const perPixel = Number(svg.dataset.mm);
    let [x, y, unit] = [size.width / 2, size.height / 2, Infinity]; // middle of the view; pixels of the photograph to one of the screen
    let chosen = null;
    const touches = new Map(); // places of fingers, or of the mouse while its button is down

    const fit = (box) => Math.max(size.width / box.width, size.height / box.height);
    const bounded = (wanted, box) => Math.min(Math.max(wanted, Number(svg.dataset.finest) / DEEPEST), fit(box));
    // Where the middle of the view may lie along a side: zoomed in also at the border, that a crack there can be looked at.
    const inside = (place, seen, all) => {
      const least = seen >= all ? all / 2 : seen / 2 - Math.min(seen, all - seen) / 2;
      return Math.min(Math.max(place, least), all - least);
    };
    const show = () => {
      const box = svg.getBoundingClientRect();
      if (!box.width || !box.height) return;
      unit = bounded(unit, box);
      const [width, height] = [box.width * unit, box.height * unit];
      const centre = [inside(x, width, size.width), inside(y, height, size.height)];
      if (!touches.size) [x, y] = centre; // fingers move one after the other: what the first pushes out the second pulls back
      const [left, top] = [centre[0] - width / 2, centre[1] - height / 2];
      svg.setAttribute("viewBox", `${left} ${top} ${width} ${height}`);
      svg.style.setProperty("--pixel", unit);
      const whole = unit === fit(box);
      svg.classList.toggle("zoomed", !whole);
      button("in").disabled = unit === bounded(0, box);
      button("out").disabled = button("whole").disabled = whole;
      const place = (mark, right, down) => mark.setAttribute("transform", `translate(${left + right * unit} ${top + down * unit}) scale(${unit})`);
      if (arrow) place(arrow, box.width - 40, 40);
      if (!bar) return;
      place(bar, 14, box.height - 14);
      const mm = roundBelow(BAR * unit * perPixel);
      bar.querySelector("path").setAttribute("d", `M0-8v8h${mm / perPixel / unit}v-8`);
      bar.querySelector("text").textContent = length(mm);
    };
    // Zooms by a factor; the place of the photograph under a point of the screen comes to lie under another.
    const zoom = (factor, from, to = from) => {
      const box = svg.getBoundingClientRect(), before = unit;
      const middle = { x: box.left + box.width / 2, y: box.top + box.height / 2 };
      const [start, end] = [from || middle, to || middle];
      [x, y] = [x + (start.x - middle.x) * unit, y + (start.y - middle.y) * unit];
      unit = bounded(unit / factor, box);
      [x, y] = [x - (end.x - middle.x) * unit, y - (end.y - middle.y) * unit];
      show();
      return unit !== before;
    };
    const pan = (right, down) => {
      const before = [x, y];
      [x, y] = [x - right * unit, y - down * unit];
      show();
      return x !== before[0] || y !== before[1];
    };
    const whole = () => { unit = Infinity; show(); };

    const choose = (crack) => {
      if (chosen) chosen.classList.remove("chosen");
      chosen = crack;
      if (crack) crack.classList.add("chosen");
      figure.querySelector("output").value = crack ? crack.querySelector("title").textContent : "";
      const link = figure.querySelector(".to-row");
      const row = crack && document.getElementById(crack.id.replace("crack", "row"));
      link.hidden = !row;
      if (row) link.href = `#${row.id}`;
    };
    const visit = (crack) => {
      const outline = crack.getBBox(), box = svg.getBoundingClientRect();
      [x, y] = [outline.x + outline.width / 2, outline.y + outline.height / 2];
      unit = Math.max(1.4 * outline.width / box.width, 1.4 * outline.height / box.height, Number(svg.dataset.finest) / 2);
      figure.querySelector(".show").checked = true;
      choose(crack);
      show();
    };
    choosers.set(figure, (crack) => {
      figure.scrollIntoView({ block: "nearest" });
      svg.focus({ preventScroll: true });
      visit(crack);
    });
    // The crack at a point of the screen, or the nearest within a finger's reach.
    const at = (point) => {
      for (let far = 0; far <= REACH; far += 2) {
        for (let turn = 0; turn < (far ? 16 : 1); turn += 1) {
          const angle = turn * Math.PI / 8;
          const found = document.elementFromPoint(point.x + far * Math.cos(angle), point.y + far * Math.sin(angle));
          if (found && found.matches(".crack") && svg.contains(found)) return found;
        }
      }
      return null;
    };

    let moved = 0;
    const middleOf = () => {
      const all = [...touches.values()], [one, other = one] = all;
      return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, apart: Math.hypot(one.x - other.x, one.y - other.y) };
    };
    svg.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      if (!touches.size) moved = 0;
      touches.set(event.pointerId, { x: event.clientX, y: event.clientY });
      svg.setPointerCapture(event.pointerId);
      svg.classList.add("moving");
    });
    svg.addEventListener("pointermove", (event) => {
      if (!touches.has(event.pointerId)) return;
      const before = middleOf();
      touches.set(event.pointerId, { x: event.clientX, y: event.clientY });
      const now = middleOf();
      moved += Math.hypot(now.x - before.x, now.y - before.y) + (touches.size > 1 ? CLICK : 0);
      if (touches.size === 1 && moved < CLICK) return;
      zoom(before.apart && now.apart ? now.apart / before.apart : 1, before, now);
    });
    const release = (event) => {
      if (!touches.delete(event.pointerId)) return;
      if (!touches.size) {
        svg.classList.remove("moving");
        show();
      }
      if (event.type === "pointerup" && !touches.size && moved < CLICK) choose(at({ x: event.clientX, y: event.clientY }));
    };
    svg.addEventListener("pointerup", release);
    svg.addEventListener("pointercancel", release);
    // The wheel scrolls the page until the picture was clicked; a touchpad's pinch comes as a wheel with Ctrl.
    svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !figure.contains(document.activeElement)) return;
      const far = event.deltaY * [1, 20, 400][event.deltaMode] * (event.ctrlKey ? 4 : 1);
      if (zoom(Math.exp(-far / 500), { x: event.clientX, y: event.clientY }) || event.ctrlKey) event.preventDefault();
    }, { passive: false });
    svg.addEventListener("dblclick", (event) => zoom(ZOOM * ZOOM, { x: event.clientX, y: event.clientY }));

    const step = (by) => {
      const place = chosen ? cracks.indexOf(chosen) + by : by > 0 ? 0 : -1;
      if (cracks.length) visit(cracks.at(place % cracks.length));
    };
    const large = () => (document.fullscreenElement ? document.exitFullscreen() : figure.requestFullscreen());
    const acts = { in: () => zoom(ZOOM), out: () => zoom(1 / ZOOM), whole, before: () => step(-1), next: () => step(1), large };
    for (const [name, act] of Object.entries(acts)) {
      if (button(name)) button(name).addEventListener("click", act);
    }
    button("large").hidden = !document.fullscreenEnabled;
    const far = () => svg.getBoundingClientRect().width / 8;
    const keys = {
      "+": acts.in, "=": acts.in, "-": acts.out, "0": () => { whole(); return true; },
      ArrowLeft: () => pan(far(), 0), ArrowRight: () => pan(-far(), 0), ArrowUp: () => pan(0, far()), ArrowDown: () => pan(0, -far()),
    };
    figure.addEventListener("keydown", (event) => {
      const act = event.ctrlKey || event.altKey || event.metaKey ? null : keys[event.key];
      if (act && act()) event.preventDefault();
    });

    svg.tabIndex = 0;
    svg.setAttribute("aria-keyshortcuts", "+ - 0 ArrowLeft ArrowRight ArrowUp ArrowDown");
    figure.querySelector(".buttons").hidden = false;
    new ResizeObserver(() => {
      if (!svg.classList.contains("zoomed")) unit = Infinity;
      show();
    }).observe(svg);
    window.addEventListener("beforeprint", whole);
    show();
  };
  const roundBelow = (value) => {
    const power = 10 ** Math.floor(Math.log10(value));
    return power * Math.max(...[1, 2, 5].filter((step) => step * power <= value * (1 + 1e-9)));
  };
  const length = (mm) => {
    const [factor, name] = mm < 10 ? [1, "mm"] : mm < 1000 ? [10, "cm"] : [1000, "m"];
    return `${Number((mm / factor).toPrecision(6))} ${name}`;
  };

  // Links lead from the list to the crack in the viewer, and back.
  const follow = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    const full = document.fullscreenElement;
    if (full && !full.contains(target)) document.exitFullscreen();
    const list = target.closest("details");
    if (list) {
      list.open = true;
      target.scrollIntoView({ block: "center" });
    }
    if (target.matches(".crack")) choosers.get(target.closest(".viewer"))(target);
  };
  for (const figure of document.querySelectorAll(".viewer")) viewing(figure);
  window.addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link && link.hash && link.hash === location.hash) follow();
  });
  follow();
}
