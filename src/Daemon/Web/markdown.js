// Markdown as elements, kept up with a text that grows: finished blocks are never touched again, open ones change where they differ.
import { blocks, cells, items } from './blocks.js';
import { copy, element } from './dom.js';
import { inline } from './inline.js';

const Depth = 6; // of lists and quotes in each other

export class MarkdownView {
  #host;
  #finished;
  #text = '';
  #start = 0; // of the first open block
  #last = null; // finished element

  /** Shows text in an element; each block that is finished is told with its text. */
  constructor(host, finished = () => {}) {
    this.#host = host;
    this.#finished = finished;
  }

  /** Shows a text, which mostly is the one before with something added. The end of one that still grows is not final. */
  show(text, isWhole) {
    if (!text.startsWith(this.#text)) [this.#start, this.#last] = [0, null];
    this.#text = text;
    const tail = text.slice(this.#start);
    const all = blocks(tail);
    // The last line may yet become something else, such as the next item of a list.
    const settled = tail.lastIndexOf('\n') + 1;
    const count = isWhole ? all.length : Math.max(all.findLastIndex(block => block.start < settled), 0);
    patch(this.#host, this.#last, all.map(block => render(block, 0)));
    for (let i = 0; i < count; i++) {
      this.#last = this.#last ? this.#last.nextSibling : this.#host.firstChild;
      this.#finished((this.#last.className === 'code' ? this.#last.lastChild : this.#last).textContent);
    }

    this.#start += count < all.length ? all[count].start : tail.length;
  }
}

/** Copies a block of code when its button is pressed, wherever below an element that is. */
export function copyCode(host) {
  host.addEventListener('click', event => {
    if (event.target.className === 'copy-code') copy(event.target.closest('.code').querySelector('pre').textContent, event.target);
  });
}

function render(block, depth) {
  const text = block.lines.join('\n');
  switch (block.kind) {
    case 'code': return code(text, block.language);
    case 'heading': return element(`h${Math.min(block.level + 2, 6)}`, {}, ...inline(text));
    case 'rule': return element('hr');
    case 'list': return list(block, depth);
    case 'quote': return element('blockquote', {}, ...nested(text, depth));
    case 'table': return table(block);
    default: return element('p', {}, ...inline(text.trimEnd()));
  }
}

function nested(text, depth) {
  return depth < Depth ? blocks(text).map(block => render(block, depth + 1)) : [text];
}

function list(block, depth) {
  const entries = items(block.lines).map(text => {
    const content = nested(text, depth);
    // An item of one paragraph needs no distance around it.
    return element('li', {}, ...(content[0]?.nodeName === 'P' ? [...content[0].childNodes, ...content.slice(1)] : content));
  });
  return block.isOrdered ? element('ol', { start: block.number }, ...entries) : element('ul', {}, ...entries);
}

function table(block) {
  const row = (line, tag) => element('tr', {}, ...cells(line).map(cell => element(tag, {}, ...inline(cell))));
  const [head, , ...body] = block.lines;
  return element('div', { className: 'table' }, element('table', {},
    element('thead', {}, row(head, 'th')), element('tbody', {}, ...body.map(line => row(line, 'td')))));
}

function code(text, language) {
  return element('div', { className: 'code' },
    element('div', { className: 'code-bar' }, element('span', {}, language || 'code'), element('button', { type: 'button', className: 'copy-code' }, 'Copy')),
    element('pre', {}, element('code', {}, text)));
}

/** Makes the children after a given one equal to new nodes; what is alike stays, and text that has grown is added to. */
function patch(parent, after, fresh) {
  let old = after ? after.nextSibling : parent.firstChild;
  for (const node of fresh) {
    const next = old?.nextSibling;
    if (!old) parent.append(node);
    else if (!isAlike(old, node)) old.replaceWith(node);
    else if (old.nodeType === Node.TEXT_NODE) setText(old, node.data);
    else if (node.className !== 'copy-code') patch(old, null, [...node.childNodes]);
    old = next;
  }

  while (old) {
    const next = old.nextSibling;
    old.remove();
    old = next;
  }
}

const isAlike = (a, b) => a.nodeName === b.nodeName && a.className === b.className && a.href === b.href && a.start === b.start;

function setText(node, text) {
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}
