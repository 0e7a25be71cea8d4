/** Makes an element; text among the children stays text. */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

export const byId = id => document.getElementById(id);

/** Copies text and lets the button that asked for it say so for a moment. */
export async function copy(text, button) {
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else copyBySelection(text);
  const label = button.textContent;
  if (label === 'Copied') return;
  button.textContent = 'Copied';
  setTimeout(() => { button.textContent = label; }, 1200);
}

/** Where the page came over plain HTTP from another machine, there is no clipboard to write to. */
function copyBySelection(text) {
  const area = element('textarea', { value: text, className: 'unseen' });
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

export const sleep = milliseconds => new Promise(resolve => { setTimeout(resolve, milliseconds); });

/** Lets a text area be as high as its text. */
export function grow(area) {
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight + area.offsetHeight - area.clientHeight}px`;
}
