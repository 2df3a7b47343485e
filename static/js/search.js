// The global search: Ctrl-K anywhere, "/" where the page has no search box of its own; arrows walk through what is found.
(() => {
  const dialog = () => document.getElementById("search-dialog");
  const field = () => document.getElementById("search-words");

  document.addEventListener("keydown", (event) => {
    const box = dialog();
    if (!box) return;
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    const chord = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k";
    const off = document.cookie.includes("slash=off"); // the account's page
    const slash = event.key === "/" && !off && !typing && !event.ctrlKey && !event.metaKey && !document.querySelector("[data-search]");
    if ((chord || slash) && (box.open || !document.querySelector("dialog[open]"))) {
      event.preventDefault();
      if (!box.open) box.showModal();
      field().select();
    }
    if (!box.open || !box.contains(event.target) || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    const stops = [field(), ...box.querySelectorAll("#search-found a, #search-found button")];
    const place = stops.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1);
    event.preventDefault();
    stops[(place + stops.length) % stops.length].focus();
  });
})();
