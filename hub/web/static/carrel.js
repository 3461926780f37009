// Small comforts; every page works without them.
"use strict";

// A form that was sent is not sent twice, and says so.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button");
    // after the browser has read the form
    setTimeout(() => {
      button.disabled = true;
      button.dataset.text = button.textContent;
      button.textContent = form.dataset.once + " …";
    });
  });
}

// A form that only needs to be sent.
for (const form of document.querySelectorAll("form[data-now]")) {
  form.requestSubmit();
}

// Back from the browser's memory: the buttons work again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const button of document.querySelectorAll("button[disabled]")) {
    button.disabled = false;
    button.textContent = button.dataset.text;
  }
});

// Times as people here write them.
for (const time of document.querySelectorAll("time[datetime]")) {
  const when = new Date(time.dateTime);
  if (!isNaN(when)) {
    time.title = time.dateTime;
    time.textContent = when.toLocaleString(undefined, {
      dateStyle: "medium",
      timeStyle: "short",
    });
  }
}

// Load this page again as soon as the hub answers (it may be restarting).
async function reloadWhenThere() {
  try {
    const answer = await fetch(document.body.dataset.hub + "health", { cache: "no-store" });
    if (answer.ok) {
      location.reload();
      return;
    }
  } catch {
    // no connection: try again
  }
  setTimeout(reloadWhenThere, 2000);
}

// Something is changing: look again.
const moving = document.querySelector("[data-reload]");
if (moving) {
  setTimeout(reloadWhenThere, 1000 * Number(moving.dataset.reload));
}

// A server that is to start by itself: as pressing the button would do it.
const going = document.querySelector("[data-go-after]");
if (going) {
  setTimeout(() => {
    const form = going.querySelector("form");
    if (form) form.requestSubmit();
  }, 1000 * Number(going.dataset.goAfter));
}
