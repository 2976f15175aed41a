// Keeps the live parts of a page fresh: loads the page again and takes over what has changed.
"use strict";

const EVERY_MS = 2000;
const rounds = new Map();

function isBusy(part) {
  // Nobody wants the row under the pointer of a keyboard or a selection to go away.
  const selection = document.getSelection();
  const selects = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return part.contains(document.activeElement) || selects;
}

function due(part) {
  const every = Math.max(1, Math.round((Number(part.dataset.live || 2) * 1000) / EVERY_MS));
  const round = (rounds.get(part.id) || 0) + 1;
  rounds.set(part.id, round);
  return round % every === 0;
}

async function refresh() {
  const parts = [...document.querySelectorAll("[data-live]")].filter(due);
  if (document.hidden || parts.length === 0) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts) {
    const other = fresh.getElementById(part.id);
    if (other && !isBusy(part) && other.innerHTML !== part.innerHTML) {
      part.innerHTML = other.innerHTML;
    }
  }
}

async function live() {
  try {
    await refresh();
    document.body.classList.remove("stale");
  } catch {
    // The runtime is stopped or restarts: what is shown may be old.
    document.body.classList.add("stale");
  }
  setTimeout(live, EVERY_MS);
}

if (document.querySelector("[data-live]")) setTimeout(live, EVERY_MS);

document.addEventListener("keydown", (event) => {
  const field = document.getElementById("q");
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
  }
});
