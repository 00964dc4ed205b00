/* Live regions: an element with an id and data-live (the address; empty = this page) asks again and again.
 *
 * It sends the version it holds (data-live-version) as If-None-Match; 204 or 304 means unchanged and swaps nothing. Anything else
 * is morphed in place. data-live-every and data-live-max are seconds: unchanged answers let the pause grow to the max;
 * data-live-soon on something inside makes the next one that short. An answer without data-live ends the asking. Hidden tabs
 * and paused pages do not ask; three failures make a region stale. */
(() => {
  "use strict";
  const { all, element, focusOn, heir, say } = window.holdpoint;
  const root = document.documentElement;
  const line = document.getElementById("live-line");
  const regions = new Map(); // id -> { every, max, wait, failures, timer, stale }
  let paused = false;

  function adopt() {
    for (const region of all("[data-live][id]")) {
      const every = Number(region.dataset.liveEvery || 10);
      const max = Number(region.dataset.liveMax || every);
      if (!regions.has(region.id)) regions.set(region.id, { id: region.id, every, max, wait: every, failures: 0 });
    }
    for (const [id, state] of regions) {
      const region = document.getElementById(id);
      if (region?.matches("[data-live]")) { hurry(state, region); if (!state.timer) plan(state); } else drop(state);
    }
    const watched = all("[data-live][id]:not([data-live-quiet])").length;
    const control = line?.querySelector("[data-live-only]");
    if (control) control.hidden = watched === 0;
  }

  // Something in it is expected any moment: asked for soon, and ever later if it does not come.
  function hurry(state, region) {
    const soon = region.querySelector("[data-live-soon]");
    if (soon && !state.soon) {
      clearTimeout(state.timer);
      state.timer = undefined;
      state.wait = Number(soon.dataset.liveSoon);
    }
    state.soon = Boolean(soon);
  }

  function plan(state) {
    clearTimeout(state.timer);
    state.timer = setTimeout(() => ask(state), state.wait * 1000);
  }

  function drop(state) {
    clearTimeout(state.timer);
    fresh(state);
    regions.delete(state.id);
  }

  function ask(state) {
    state.timer = undefined;
    const region = document.getElementById(state.id);
    if (paused || document.hidden) return; // asked again on return
    if (!region) return drop(state);
    if (region.querySelector("[data-js-busy]")) return plan(state); // a form in it is being sent
    state.asking = true;
    const headers = { "X-Live": "1" };
    if (region.dataset.liveVersion) headers["If-None-Match"] = `"${region.dataset.liveVersion}"`;
    htmx.ajax("GET", region.dataset.live || location.pathname + location.search, { source: region, target: region, swap: "outerMorph", headers });
  }

  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    const state = ctx.request?.headers?.["X-Live"] && [...regions.values()].find((one) => one.asking && ctx.request.headers["HX-Target"]?.endsWith(`#${encodeURI(one.id)}`));
    if (!state) return;
    state.asking = false;
    const status = ctx.response?.status ?? 0;
    if ((status >= 200 && status < 300) || status === 304) answered(state, status !== 200);
    else failed(state);
    adopt();
  });

  // What a person did may have changed the numbers in the navigation: they are asked for at once.
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    if (ctx.request?.method?.toUpperCase() !== "POST" || !(ctx.response?.status < 400)) return;
    for (const state of regions.values()) {
      if (document.getElementById(state.id)?.matches("[data-live-quiet]")) { clearTimeout(state.timer); ask(state); }
    }
  });

  function answered(state, unchanged) {
    state.failures = 0;
    state.wait = unchanged ? Math.min(state.wait * 1.5, state.max) : state.every;
    state.at = window.holdpoint.now();
    fresh(state);
    // The numbers of the navigation say nothing about the list beside them: that is as old as it says.
    if (document.getElementById(state.id)?.matches("[data-live-quiet]")) return;
    const time = line?.querySelector("[data-updated]");
    if (time) { time.textContent = clock(state.at); time.dateTime = new Date(state.at).toISOString().replace(/\.\d+/, ""); }
  }

  function failed(state) {
    state.failures += 1;
    state.wait = Math.min(state.every * 2 ** state.failures, 60);
    if (state.failures >= 3 && !state.stale) goStale(state);
  }

  function goStale(state) {
    const region = document.getElementById(state.id);
    if (!region || region.matches("[data-live-quiet]")) return;
    const since = clock(state.at ?? (Date.parse(root.dataset.now) || Date.now()));
    state.stale = element("p", `Not updated since ${since}. What you see may have changed.`, { className: "stale" });
    const again = element("button", "Try now", { type: "button", className: "button quiet" });
    again.onclick = () => ask(state);
    state.stale.append(again);
    region.before(state.stale);
    root.dataset.jsStale = "";
    say(state.stale.firstChild.textContent);
  }

  function fresh(state) {
    const held = state.stale?.contains(document.activeElement);
    if (state.stale) say("Up to date again.");
    state.stale?.remove();
    state.stale = undefined;
    const region = held && document.getElementById(state.id);
    if (region) focusOn(heir(region.offsetHeight ? region : region.parentElement), { preventScroll: true });
    if ([...regions.values()].some((one) => one.stale)) return;
    delete root.dataset.jsStale;
    document.querySelector("#alert:has([data-try-now]) [data-close]")?.click();
  }

  const clock = (moment) => new Date(moment).toLocaleTimeString("en-GB", { timeZone: root.dataset.zone || "UTC" });
  const askAll = () => regions.forEach((state) => { clearTimeout(state.timer); ask(state); });

  document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) askAll(); });
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => { if (!ctx.request?.headers?.["X-Live"]) adopt(); });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-try-now]")) askAll();
    const toggle = event.target.closest("[data-live-toggle]");
    if (!toggle) return;
    paused = !paused;
    toggle.setAttribute("aria-pressed", String(paused));
    toggle.textContent = paused ? "Resume" : "Pause";
    line.querySelector("[data-live-state]").textContent = paused ? "paused" : "live";
    say(paused ? "Updates paused." : "Updates resumed.");
    if (!paused) askAll();
  });
  adopt();
})();
