// What the browser keeps: conversations (one entry each), settings, the API key, and which conversation is open.
const Prefix = 'weft.conversation.';

export const key = () => localStorage.getItem('weft.key');
export const setKey = value => write('weft.key', value);
export const settings = () => read('weft.settings') ?? { mode: 'chat' };
export const setSettings = value => write('weft.settings', JSON.stringify(value));
export const openId = () => localStorage.getItem('weft.open');
export const setOpenId = id => write('weft.open', id);

/** Keeps a conversation; false when the browser has no room for it. */
export const save = conversation => write(Prefix + conversation.id, JSON.stringify(conversation));
export const remove = conversation => localStorage.removeItem(Prefix + conversation.id);

/** All conversations, the latest first. An answer that the page did not see the end of was interrupted. */
export function conversations() {
  const all = Object.keys(localStorage).filter(name => name.startsWith(Prefix)).map(read).filter(Boolean);
  for (const message of all.flatMap(conversation => conversation.messages)) {
    if (message.running) Object.assign(message, { running: false, finish: 'interrupted' });
  }

  return all.sort((a, b) => b.updated - a.updated);
}

/** A conversation without messages; it is kept from the first message on. */
export const create = mode => ({ id: Date.now().toString(36) + Math.random().toString(36).slice(2, 8), mode, updated: Date.now(), messages: [] });

export const title = conversation => conversation.messages[0]?.text.trim().split('\n')[0].slice(0, 80) || 'New conversation';

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

function write(name, value) {
  try {
    localStorage.setItem(name, value);
    return true;
  } catch {
    return false;
  }
}
