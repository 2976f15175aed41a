// Shows the sandbox's threads, twice a second, and posts what a person writes.
"use strict";

const list = document.getElementById("threads");
const pattern = document.getElementById("thread");
const shown = new Map();

function card(thread) {
  let node = shown.get(thread.taskId);
  if (!node) {
    node = pattern.content.firstElementChild.cloneNode(true);
    node.querySelector("form").addEventListener("submit", (event) => send(event, thread.taskId));
    if (shown.size === 0) list.replaceChildren();
    list.append(node);
    shown.set(thread.taskId, node);
  }
  return node;
}

function draw(thread) {
  const node = card(thread);
  node.querySelector("h2").textContent = `${thread.title} (${thread.status})`;
  const messages = node.querySelector("ol");
  while (messages.children.length < thread.messages.length) {
    const message = thread.messages[messages.children.length];
    const line = document.createElement("li");
    const author = document.createElement("b");
    line.className = message.authorType;
    author.textContent = message.authorName || message.authorType;
    line.append(author, message.content);
    messages.append(line);
  }
  const typing = node.querySelector(".typing");
  typing.hidden = thread.typing.length === 0;
  typing.textContent = `${thread.typing.join(", ")} is typing …`;
}

async function send(event, task) {
  event.preventDefault();
  const form = event.target;
  const error = form.querySelector("[role=alert]");
  const answer = await fetch("/sandbox/messages", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ task, content: form.elements.content.value }),
  });
  error.hidden = answer.ok;
  if (answer.ok) {
    form.reset();
  } else {
    error.textContent = (await answer.json()).error;
  }
}

async function refresh() {
  try {
    const answer = await fetch("/sandbox/threads");
    if (answer.ok) (await answer.json()).forEach(draw);
  } catch {
    // The runtime is stopped or restarts; the next look tells.
  }
  setTimeout(refresh, 500);
}

refresh();
