// What all pages do in the browser. No page needs it to be read or to be used.
import "htmx.org";

document.documentElement.classList.add("js");

// The secret of a link stands behind the #, which no server sees: it goes into the form, and out of the address.
function takeSecret() {
  const field = document.querySelector("input[data-secret]");
  if (!field || location.hash.length < 2) return;
  field.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname + location.search);
  field.closest(".field").hidden = true;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

function copy(button) {
  const text = button.parentElement.querySelector("code").innerText;
  navigator.clipboard.writeText(text).then(
    () => { button.textContent = "Copied"; },
    () => { button.textContent = "Press Ctrl+C"; getSelection().selectAllChildren(button.parentElement.querySelector("code")); },
  );
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

document.addEventListener("click", (e) => {
  const button = e.target.closest("button[data-do]");
  if (!button) return;
  if (button.dataset.do === "copy") copy(button);
  if (button.dataset.do === "download") {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([document.getElementById("secret").innerText], { type: "text/plain" }));
    link.download = document.querySelector(".code[data-file]").dataset.file;
    link.click();
    URL.revokeObjectURL(link.href);
  }
  if (button.dataset.do === "menu") {
    const open = document.querySelector(".side").classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
  }
});

// A second click on a button whose form is on its way sends nothing.
document.addEventListener("submit", (e) => {
  const form = e.target;
  if (form.dataset.sent) return e.preventDefault();
  if (form.method === "post" && !form.hasAttribute("hx-post")) form.dataset.sent = "1";
}, true);
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((f) => delete f.dataset.sent));

// Times come as UTC and are shown as the reader's own.
function localTimes(root) {
  for (const t of root.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(t.dateTime);
    if (isNaN(at)) continue;
    t.title = t.textContent;
    t.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  }
}
localTimes(document);
document.addEventListener("htmx:after:swap", () => localTimes(document));
setTimeout(takeSecret); // behind htmx's own start, which hears the change
