// Keeps "il y a 3 min" true while a page stays open, and adds it to the title of an exact date that is pointed at.
// The server draws both (i18n.ago: the same rules); where this machine's clock does not agree with it, nothing changes.
(() => {
  const WORDS = "now minutes hours today yesterday tomorrow days toMinutes toHours toDays date".split(" ");
  const said = document.getElementById("toasts")?.dataset.ago.split("|");
  if (!said) return;
  const words = Object.fromEntries(WORDS.map((name, place) => [name, said[place]]));
  const days = {}; // of each zone, which the full date in the title ends with
  let right = true;

  function today(now, zone) {
    days[zone] ??= new Intl.DateTimeFormat("sv", { timeZone: zone });
    return days[zone].format(now);
  }

  function ago(time, full, now = Date.now()) {
    const stamp = time.dateTime;
    const zone = full.match(/\(([\w/+-]+)\)$/)?.[1];
    if (!zone) return null;
    const gone = Math.floor(now / 1000) - Date.parse(stamp) / 1000;
    if (gone > -30 && gone < 60) return words.now;
    const apart = Math.abs(gone);
    const past = gone > 0;
    const say = (name, number) => words[past ? name : `to${name[0].toUpperCase()}${name.slice(1)}`].replace("{}", number);
    const minutes = past ? Math.floor(apart / 60) : Math.ceil(apart / 60);
    if (minutes < 60) return say("minutes", minutes);
    const gap = Math.round((Date.parse(today(now, zone)) - Date.parse(stamp.slice(0, 10))) / 864e5);
    if (gap === 0 && apart < 6 * 3600) return say("hours", Math.floor((apart + 1800) / 3600));
    if (Math.abs(gap) < 2) return words[["tomorrow", "today", "yesterday"][gap + 1]].replace("{}", stamp.slice(11, 16));
    if (Math.abs(gap) <= 30) return say("days", Math.abs(gap));
    return words.date.replace("{}", stamp.slice(0, 10).split("-").reverse().join("/"));
  }

  const all = (root) => root.querySelectorAll("time[data-ago]");
  // What just came from the server says how late it is there.
  function check(root) {
    for (const time of all(root)) {
      const near = [-90e3, 0, 90e3].map((off) => ago(time, time.title, Date.now() + off));
      right &&= near.includes(time.textContent);
    }
  }
  function tell() {
    if (!right || document.hidden) return;
    for (const time of all(document)) {
      const now = ago(time, time.title);
      if (now && now !== time.textContent) time.textContent = now;
    }
  }
  check(document);
  document.addEventListener("htmx:load", (event) => check(event.target));
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    const there = Date.parse(detail.xhr.getResponseHeader("Date"));
    right &&= !(Math.abs(there - Date.now()) > 90e3);
  });
  document.addEventListener("visibilitychange", tell);
  setInterval(tell, 20e3);

  const exact = new WeakMap();
  document.addEventListener("mouseover", ({ target }) => {
    const time = right && target.closest?.("time[title]:not([data-ago])");
    if (!time || !time.dateTime.includes("T")) return;
    if (!exact.has(time)) exact.set(time, time.title);
    const now = ago(time, exact.get(time));
    if (now) time.title = `${exact.get(time)} · ${now}`;
  });
})();
