// Shows recent jobs from the API. Everything from outside goes in as text, never as markup.

const MODES = {
  animate: "Animate",
  audio_performance: "Audio performance",
  start_end: "Start & end frame",
  pose_control: "Pose control",
  motion_clip: "Motion clip",
};
const STATES = {
  accepted: "Preparing your media",
  uploaded: "Preparing your media",
  queued: "Waiting",
  executing: "Generating",
  collecting_outputs: "Finishing up",
  completed: "Ready",
  failed: "Could not be made",
  cancelled: "Cancelled",
};
const REFRESH_MS = 4000;

const at = (id) => document.getElementById(id);
const cards = new Map();
let token = sessionStorage.getItem("token") ?? "";
let older = null;

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

async function ask(path) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(path, { headers });
  at("token").hidden = response.status !== 401;
  if (!response.ok) {
    const problem = await response.json().catch(() => ({ detail: response.statusText }));
    throw new Error(problem.detail);
  }
  return response;
}

function stateText(job) {
  let text = STATES[job.status] ?? job.status;
  if (job.status === "queued" && job.queue) text += `: number ${job.queue.position} in the queue`;
  if (job.status === "executing" && job.progress) text += `: ${Math.round(job.progress.percent)} %`;
  if (job.error) text += `: ${job.error.sentence} ${job.error.remedy}`;
  return text;
}

async function play(job, video) {
  if (!token) {
    video.poster = job.poster_url;
    video.src = job.video_url;
    return;
  }
  // A media element sends no token: fetch the poster now and the video when it is wanted.
  video.poster = URL.createObjectURL(await (await ask(job.poster_url)).blob());
  const load = async () => {
    video.src = URL.createObjectURL(await (await ask(job.video_url)).blob());
    await video.play();
  };
  video.addEventListener("click", load, { once: true });
}

function card(job) {
  const item = element("li", "job");
  item.dataset.status = job.status;
  if (job.video_url) {
    const video = element("video");
    video.controls = true;
    video.preload = "none";
    video.loop = true;
    video.setAttribute("aria-label", job.prompt);
    play(job, video).catch(showTrouble);
    item.append(video);
  } else {
    item.append(element("div", "empty", stateText(job)));
  }
  const text = element("div", "text");
  text.append(element("p", "", job.prompt));
  if (job.simulated) {
    text.append(element("p", "simulated", "Simulated: made by a stand-in, not by a model."));
  }
  const when = new Date(job.created_at).toLocaleString();
  text.append(element("p", "quiet", `${MODES[job.mode] ?? job.mode} · ${when}`));
  item.append(text);
  return item;
}

function show(job, first) {
  const known = cards.get(job.job_id);
  const key = JSON.stringify([job.status, job.progress?.percent, job.queue, job.simulated]);
  if (known?.key === key) return;
  const item = card(job);
  if (known) known.item.replaceWith(item);
  else if (first) at("jobs").prepend(item);
  else at("jobs").append(item);
  cards.set(job.job_id, { key, item });
}

function showTrouble(trouble) {
  at("notice").textContent = trouble.message;
  at("notice").className = "trouble";
}

async function refresh() {
  const page = await (await ask("/api/jobs?limit=24")).json();
  const empty = cards.size === 0;
  const listed = empty ? page.jobs : [...page.jobs].reverse();
  for (const job of listed) show(job, !empty);
  const there = new Set(page.jobs.map((job) => job.job_id));
  if (page.next_cursor === null) {
    for (const [id, { item }] of cards) {
      if (!there.has(id)) {
        item.remove();
        cards.delete(id);
      }
    }
  }
  if (empty) {
    older = page.next_cursor;
    at("more").hidden = older === null;
  }
  at("notice").className = "";
  at("notice").textContent = cards.size ? "" : "Nothing was made here yet.";
}

async function capabilities() {
  const found = await (await ask("/api/capabilities")).json();
  at("engine").textContent = found.simulated
    ? "Simulated engine: videos here are stand-ins, not made by a model."
    : "";
  at("modes").replaceChildren(
    ...found.modes.map((mode) => {
      const name = MODES[mode.mode] ?? mode.mode;
      const lacks = mode.missing.length ? ` It lacks ${mode.missing.join(", ")}.` : "";
      return element("li", "", mode.available ? `${name}: ready` : `${name}: not here.${lacks}`);
    }),
  );
}

async function tick() {
  try {
    if (!document.hidden) await refresh();
  } catch (trouble) {
    showTrouble(trouble);
  }
  setTimeout(tick, REFRESH_MS);
}

at("token").addEventListener("submit", (event) => {
  event.preventDefault();
  token = new FormData(event.target).get("token");
  sessionStorage.setItem("token", token);
  Promise.all([capabilities(), refresh()]).catch(showTrouble);
});
at("more").addEventListener("click", async () => {
  try {
    const page = await (await ask(`/api/jobs?limit=24&cursor=${encodeURIComponent(older)}`)).json();
    for (const job of page.jobs) show(job, false);
    older = page.next_cursor;
    at("more").hidden = older === null;
  } catch (trouble) {
    showTrouble(trouble);
  }
});
capabilities().catch(showTrouble);
tick();
