// New events appear at the top of the list as they happen. EventSource reconnects by itself and sends the last id, so none is missed.
const list = document.getElementById("live");
const connection = document.getElementById("connection");
const MOST = 200;

function part(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function show(message) {
  const event = JSON.parse(message.data);
  const name = event.type.replace(/^modelyard\./, "").replace(/\.v\d+$/, "");
  const time = part("time", event.time.slice(11, 19));
  time.dateTime = event.time;
  const line = document.createElement("li");
  line.append(time, " ", part("span", name, "type " + name.split(".")[0]), " ", part("span", event.subject, "subject"), " ", part("span", event.actor, "actor"));
  list.prepend(line);
  while (list.children.length > MOST) list.lastElementChild.remove();
}

const TYPES = list.dataset.types ? list.dataset.types.split(" ") : [];
const source = new EventSource("/api/v1/events/stream");
source.onopen = () => { connection.textContent = "live"; };
source.onerror = () => { connection.textContent = "connecting again…"; };
TYPES.forEach((type) => source.addEventListener(type, show));
