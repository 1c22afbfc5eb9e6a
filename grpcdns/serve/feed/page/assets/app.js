// Refreshes the parts of the page every two seconds. Without it the page is whole: reload it.
"use strict";

const EVERY = 2000;
const parts = document.querySelectorAll("[data-live]");
const line = document.getElementById("live");

if (parts.length > 0 && line) {
  const state = document.createElement("span");
  const button = document.createElement("button");
  button.type = "button";
  line.append(state, " ", button);
  let running = true;

  function show(text) {
    if (state.textContent !== text) state.textContent = text; // read out only when it changes
    button.textContent = running ? "Pause" : "Resume";
  }

  function take(fresh) {
    for (const part of parts) {
      const other = fresh.getElementById(part.id);
      const busy = part.contains(document.activeElement) || selected(part);
      if (other && !busy && other.innerHTML !== part.innerHTML) {
        part.replaceChildren(...document.adoptNode(other).childNodes);
      }
    }
  }

  function selected(part) {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  }

  async function refresh() {
    if (running && !document.hidden) {
      try {
        const reply = await fetch("/", { cache: "no-store", credentials: "omit" });
        if (!reply.ok) throw new Error(reply.status);
        take(new DOMParser().parseFromString(await reply.text(), "text/html"));
        show("Live");
        document.body.classList.remove("stale");
      } catch {
        show("No answer: this is not current");
        document.body.classList.add("stale");
      }
    }
    setTimeout(refresh, EVERY);
  }

  button.addEventListener("click", () => {
    running = !running;
    show(running ? "Live" : "Paused");
  });
  show("Live");
  setTimeout(refresh, EVERY);
}
