// Sillage's own script: delegated listeners only. htmx moves pieces of pages; everything works without this file.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (name, work) => document.addEventListener(name, work);
  const zone = () => $("#toasts");

  function toast(text) {
    if (!text || all(".toast-item span", zone()).some((shown) => shown.textContent === text)) return;
    const item = document.createElement("div");
    item.className = "toast-item";
    const words = document.createElement("span");
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "btn btn-ghost btn-icon btn-sm";
    close.textContent = "×";
    close.setAttribute("aria-label", zone().dataset.close);
    close.addEventListener("click", () => item.remove());
    item.append(words, close);
    zone().append(item);
    setTimeout(() => item.remove(), 8000);
  }

  // htmx: the CSRF header, what went wrong, where the focus goes.
  on("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRFToken"] = $("meta[name=csrf-token]").content;
  });
  // What a person asks comes before the page's own question: the answer to that one is dropped (it will be asked
  // again), and it is not asked meanwhile. Else it would replace the very row that is being opened, or fold it again.
  let asked = null;
  on("htmx:beforeRequest", (event) => {
    const { elt, xhr } = event.detail;
    if (elt.id !== "live") asked = null;
    else if (all(".htmx-request").some((busy) => busy !== elt)) event.preventDefault();
    else asked = xhr;
  });
  on("htmx:beforeOnLoad", (event) => {
    if (event.detail.elt.id === "live" && event.detail.xhr !== asked) event.preventDefault();
  });
  // A slow network: after a moment the place of what a row opens to is held by lines that stand for it.
  const HELD = '<div class="detail"><div class="letter"></div><div class="detail-side"></div></div>';
  const held = new Map();
  on("htmx:beforeRequest", ({ detail: { elt, xhr }, defaultPrevented }) => {
    if (defaultPrevented || !elt.matches(".expand[aria-expanded=false]")) return;
    held.set(xhr, setTimeout(() => {
      const row = elt.closest("tr");
      const place = document.createElement("tr");
      place.className = "detail-row detail-wait";
      place.ariaHidden = "true";
      place.insertCell().colSpan = row.cells.length;
      place.cells[0].innerHTML = HELD;
      row.after(place);
      held.set(xhr, place);
    }, 200));
  });
  const letGo = ({ detail: { xhr } }) => {
    const place = held.get(xhr);
    if (place?.remove) place.remove();
    else clearTimeout(place);
    held.delete(xhr);
  };
  on("htmx:beforeOnLoad", letGo);
  on("htmx:afterRequest", letGo); // refused, cut off or given up
  on("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    const words = zone().dataset;
    if (status === 401) return location.reload();
    toast({ 403: words.forbidden, 404: words.missing, 429: words.busy }[status] || words.failed);
  });
  on("htmx:sendError", () => toast(zone().dataset.offline));
  // A row of the history that is swapped (opened, folded, refreshed) stays chosen.
  const ROWS = "input[name=number]";
  let chosen = new Set();
  on("htmx:beforeSwap", () => (chosen = new Set(all(`${ROWS}:checked`).map((box) => box.value))));
  on("htmx:afterSwap", () => {
    for (const box of all(ROWS)) if (chosen.has(box.value)) box.checked = true;
    chosen.clear();
  });
  on("htmx:timeout", () => toast(zone().dataset.failed));
  on("htmx:afterSettle", (event) => {
    const target = event.detail.elt;
    const wanted = target.matches?.("[data-focus]") ? target : target.querySelector?.("[data-focus]");
    if (wanted) wanted.focus();
    // A row opened at the foot of the screen: what it opened to, first the remedy's button, is brought there.
    if (target.matches?.(".detail-row") && event.detail.requestConfig?.elt.matches(".expand")) {
      const { top, height } = ($("[data-first]", target) ?? target).getBoundingClientRect();
      if (top + Math.min(height, 160) > innerHeight) target.previousElementSibling.scrollIntoView();
    }
    countSelected();
  });

  // Selection: one box for all, the number, the bar.
  function countSelected() {
    for (const master of all("[data-select-all]")) {
      const boxes = all(`input[type=checkbox][name="${master.dataset.selectAll}"]:not(:disabled)`);
      const chosen = boxes.filter((box) => box.checked).length;
      master.checked = chosen > 0 && chosen === boxes.length;
      master.indeterminate = chosen > 0 && chosen < boxes.length;
      for (const place of all(`[data-count-of="${master.dataset.selectAll}"]`)) place.textContent = chosen;
      for (const bar of all(`[data-bar-of="${master.dataset.selectAll}"]`)) bar.hidden = chosen === 0;
    }
  }
  on("change", (event) => {
    const { target } = event;
    if (target.matches("[data-select-all]")) {
      for (const box of all(`input[type=checkbox][name="${target.dataset.selectAll}"]:not(:disabled)`)) box.checked = target.checked;
    }
    if (target.matches("input[type=checkbox]")) countSelected();
    if (target.matches("[data-autosubmit]")) target.form.requestSubmit();
  });

  // Merge tags go where the person was writing last.
  let writing = null;
  on("focusin", ({ target }) => {
    if (target.matches("textarea, input[name^=subject]")) writing = target;
  });

  // Clicks: menus close outside, dialogs open, texts are copied, a second submit is refused.
  on("click", async (event) => {
    for (const menu of all("details[data-menu][open]")) if (!menu.contains(event.target)) menu.open = false;
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog) {
      event.preventDefault();
      dialog.showModal();
    }
    if (event.target.matches("dialog")) event.target.close();
    const inserted = event.target.closest("[data-insert]");
    if (inserted) {
      const field = writing?.form === inserted.form ? writing : $("textarea", inserted.form);
      field.setRangeText(inserted.dataset.insert, field.selectionStart, field.selectionEnd, "end");
      field.dispatchEvent(new Event("input", { bubbles: true })); // what follows the typing follows this too
      field.focus();
    }
    const copier = event.target.closest("[data-copy], [data-copy-from]");
    if (copier) {
      const from = !copier.dataset.copy && $(copier.dataset.copyFrom);
      await navigator.clipboard.writeText(from ? (from.value ?? from.textContent) : copier.dataset.copy);
      toast(zone().dataset.copied);
    }
  });
  on("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 4000);
  });
  addEventListener("pageshow", () => {
    for (const form of all("form[data-sent]")) delete form.dataset.sent;
    countSelected();
  });

  // Keys: "/" goes to the search box (unless the account's page turned it off), Escape closes the nearest open thing and gives the focus back.
  on("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    const search = $("[data-search]");
    if (event.key === "/" && !document.cookie.includes("slash=off") && !typing && !event.ctrlKey && !event.metaKey && search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
    const pressed = event.key === " " && event.target.closest("a[role=button]"); // a link that acts as a button
    if (pressed) {
      event.preventDefault();
      pressed.click();
    }
    if (event.key !== "Escape" || $("dialog[open]")) return;
    const menu = event.target.closest("details[data-menu][open]");
    if (menu) {
      menu.open = false;
      return $("summary", menu).focus();
    }
    const sheet = $(".filter-toggle[open]");
    if (sheet?.offsetParent) {
      sheet.open = false;
      return $("summary", sheet).focus();
    }
    const row = event.target.closest("tr.is-open, tr.detail-row");
    const button = row && $("[aria-expanded=true]", row.matches(".detail-row") ? row.previousElementSibling : row);
    if (button) {
      button.click();
      button.focus();
    }
  });

  // On a phone the tabs scroll sideways: the one that is open is in sight.
  for (const tab of all(".tabs [aria-current]")) {
    const list = tab.closest(".tabs");
    list.scrollLeft = tab.offsetLeft - list.offsetLeft - (list.clientWidth - tab.offsetWidth) / 2;
  }
  $("[data-focus]")?.focus();
})();
