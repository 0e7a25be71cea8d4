// Puts the page together: conversations on the left, the open one in the middle, settings and charts on the right.
import { byId, element, grow } from './dom.js';
import { drawer } from './drawers.js';
import { generate } from './generation.js';
import { MessageList } from './messages.js';
import { followEnd } from './scroll.js';
import { askKey, notice, watch } from './server.js';
import { Settings } from './settings.js';
import * as store from './store.js';

const settings = new Settings(byId('settings'));
const running = new Map(); // conversation → what stops its answer
const toEnd = followEnd(byId('scroller'), byId('content'), byId('to-end'));
const input = byId('input');
const messages = new MessageList(byId('messages'), byId('live'), {
  regenerate: message => goOn(message),
  resend: (message, text) => goOn(message, { ...message, text }),
  complete: message => {
    setMode('completion');
    goOn(message);
  },
});
let conversations = store.conversations();
let open = conversations.find(conversation => conversation.id === store.openId()) ?? start();

function start() {
  const fresh = store.create(settings.values.mode);
  conversations.unshift(fresh);
  return fresh;
}

/** Opens a conversation. */
function show(conversation) {
  // One that nothing was said in is not worth a line in the list.
  conversations = conversations.filter(other => other === conversation || other.messages.length > 0);
  open = conversation;
  store.setOpenId(open.id);
  messages.show(open);
  list();
  refresh();
  toEnd();
}

function list() {
  byId('conversations').replaceChildren(...conversations.map(conversation => element('li', {},
    element('button', {
      type: 'button', className: 'open', ariaCurrent: String(conversation === open), title: store.title(conversation), onclick: () => {
        show(conversation);
        drawer(null);
      },
    }, store.title(conversation)),
    element('button', { type: 'button', className: 'delete', ariaLabel: `Delete ${store.title(conversation)}`, title: 'Delete', onclick: () => drop(conversation) }, '×'))));
}

/** Shows what the open conversation's state allows. */
function refresh() {
  const isRunning = running.has(open);
  byId('send').hidden = isRunning;
  byId('stop').hidden = !isRunning;
  byId('empty').hidden = open.messages.length > 0;
  byId('export').disabled = byId('clear').disabled = open.messages.length === 0;
  for (const radio of document.querySelectorAll('[name=mode]')) radio.checked = radio.value === open.mode;
  settings.expect(open.mode);
  input.placeholder = open.mode === 'chat' ? 'Message' : 'Text to go on from; it is added as it is';
}

function save(conversation) {
  conversation.updated = Date.now();
  if (!store.save(conversation)) notice('The browser has no room left to keep this conversation: delete others, or export it.');
}

function setMode(mode) {
  open.mode = mode;
  settings.set('mode', mode);
  if (open.messages.length > 0) save(open);
  messages.show(open);
  refresh();
}

function send() {
  const text = open.mode === 'chat' ? input.value.trim() : input.value;
  // A completion goes on from the text so far, with nothing added to it, too.
  if (running.has(open) || (!text && (open.mode === 'chat' || open.messages.length === 0))) return;
  if (text) open.messages.push({ role: 'user', text });
  input.value = '';
  grow(input);
  answer(open);
}

/** Asks again from a message on; it and what came after it make room. */
function goOn(message, instead) {
  stop();
  open.messages.splice(open.messages.indexOf(message), Infinity, ...(instead ? [instead] : []));
  answer(open);
}

async function answer(conversation) {
  const message = { role: 'assistant', text: '', model: settings.values.model, running: true };
  const before = [...conversation.messages];
  const controller = new AbortController();
  conversation.messages.push(message);
  running.set(conversation, controller);
  save(conversation);
  conversations = [conversation, ...conversations.filter(other => other !== conversation)];
  show(conversation);
  await generate(message, before, settings.request(conversation.mode), () => messages.update(message), controller.signal);
  if (running.get(conversation) === controller) running.delete(conversation);
  if (conversations.includes(conversation) && conversation.messages.includes(message)) save(conversation);
  refresh();
  if (message.error?.status === 401) {
    await askKey(message.error.text);
    if (open === conversation && conversation.messages.at(-1) === message) goOn(message);
  }
}

function stop(conversation = open) {
  running.get(conversation)?.abort('stopped');
  running.delete(conversation);
}

function drop(conversation) {
  if (conversation.messages.length > 0 && !confirm(`Delete “${store.title(conversation)}”?`)) return;
  stop(conversation);
  store.remove(conversation);
  conversations = conversations.filter(other => other !== conversation);
  if (conversation === open) show(conversations[0] ?? start());
  else list();
}

function clear() {
  if (!confirm(`Clear “${store.title(open)}”?`)) return;
  stop();
  open.messages = [];
  store.remove(open);
  show(open);
}

function download() {
  const { messages: all, mode, updated } = open;
  const content = { title: store.title(open), mode, updated: new Date(updated).toISOString(), settings: settings.request(mode), messages: all };
  const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: 'application/json' }));
  element('a', { href: url, download: `${store.title(open).replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 40)}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

byId('new').addEventListener('click', () => {
  show(open.messages.length > 0 ? start() : open);
  drawer(null);
  input.focus();
});
byId('clear').addEventListener('click', clear);
byId('export').addEventListener('click', download);
byId('stop').addEventListener('click', () => stop());
byId('mode').addEventListener('change', event => setMode(event.target.value));
byId('composer').addEventListener('submit', event => {
  event.preventDefault();
  send();
});
input.addEventListener('input', () => grow(input));
input.addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
addEventListener('keydown', event => {
  if (event.key === 'Escape' && !drawer(null)) stop();
});
// What has come of an answer is kept when the page goes.
addEventListener('pagehide', () => {
  for (const [conversation, controller] of running) {
    save(conversation);
    controller.abort('interrupted');
  }
});
show(open);
if (matchMedia('(hover: hover)').matches) input.focus();
watch(settings);
