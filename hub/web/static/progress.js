// The steps of a start as they happen. Without this the page reloads itself.
"use strict";

const card = document.getElementById("progress");
const bar = card.querySelector("progress");
const steps = card.querySelector(".steps");
const elapsed = card.querySelector(".elapsed");
const begun = Date.now();

setInterval(() => {
  elapsed.textContent = Math.round((Date.now() - begun) / 1000) + " s";
}, 1000);

function show(event) {
  if (typeof event.progress === "number") {
    bar.value = event.progress;
  }
  const text = event.message;
  if (text && (!steps.lastElementChild || steps.lastElementChild.textContent !== text)) {
    const item = document.createElement("li");
    item.textContent = text;
    steps.append(item);
  }
}

const url = card.dataset.progress + "?_xsrf=" + encodeURIComponent(card.dataset.xsrf);
const source = new EventSource(url);

// Each connection tells the story from its beginning.
source.onopen = () => steps.replaceChildren();

source.onmessage = (message) => {
  const event = JSON.parse(message.data);
  show(event);
  if (event.ready) {
    source.close();
    location.replace(card.dataset.ready);
  } else if (event.failed) {
    source.close();
    location.reload();
  }
};

// Refused for good (the start is over, the login is, or the hub is being
// restarted): the page knows more.
source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) {
    setTimeout(reloadWhenThere, 1000);
  }
};
