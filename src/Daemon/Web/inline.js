// Markdown within a line, as nodes. Text never becomes markup: it lands in text nodes, and in the address of links to http and https alone.
import { element } from './dom.js';

const Special = /[\\`*_~[]|https?:\/\//g;
const Marks = [['**', 'strong'], ['__', 'strong'], ['~~', 'del'], ['*', 'em'], ['_', 'em']];
const Link = /\[([^\]\n]{1,500})\]\(<?(https?:\/\/[^()\s<>]{1,1000}(?:\([^()\s<>]{0,200}\)[^()\s<>]{0,200})?)>?(?: "[^"\n]{0,200}")?\)/iy;
const Address = /https?:\/\/[^\s<>"'`\]]{1,1000}/y;
const Reach = 1000; // how far a closing mark is looked for, so that no text takes long
const Depth = 5;

/** The nodes of a text. */
export function inline(text, depth = 0) {
  const nodes = [];
  let plain = 0;
  Special.lastIndex = 0;
  for (let match; (match = Special.exec(text));) {
    const span = at(text, match.index, depth);
    if (!span) {
      Special.lastIndex = match.index + run(text, match.index);
      continue;
    }

    if (match.index > plain) nodes.push(text.slice(plain, match.index));
    nodes.push(span.node);
    Special.lastIndex = plain = span.end;
  }

  if (plain < text.length) nodes.push(text.slice(plain));
  return nodes;
}

/** What begins at a place: its node and its end; nothing when it is but text. */
function at(text, i, depth) {
  if (depth === Depth && !'\\`'.includes(text[i])) return null;
  switch (text[i]) {
    case '\\': return /[!-/:-@[-`{-~]/.test(text[i + 1] ?? '') ? { node: text[i + 1], end: i + 2 } : null;
    case '`': return code(text, i);
    case '[': return link(text, i);
    case 'h': return address(text, i);
    default: return emphasis(text, i, depth);
  }
}

function run(text, i) {
  let end = i + 1;
  while (text[end] === text[i] && '`*_~'.includes(text[i])) end++;
  return end - i;
}

function code(text, i) {
  const length = run(text, i);
  for (let end = i + length; (end = text.indexOf('`', end)) >= 0 && end < i + Reach * 4;) {
    const closing = run(text, end);
    if (closing === length) {
      const content = text.slice(i + length, end);
      return { node: element('code', {}, content.startsWith(' ') && content.endsWith(' ') && content.trim() ? content.slice(1, -1) : content), end: end + length };
    }

    end += closing;
  }

  return null;
}

function emphasis(text, i, depth) {
  const isWord = place => /[\p{L}\p{N}]/u.test(text[place] ?? '');
  const opens = (mark, from) => (isWord(from) ? mark[0] !== '_' || !isWord(i - 1) : /\S/.test(text[from] ?? '') && !isWord(i - 1) && text[from] !== mark);
  for (const [mark, tag] of Marks) {
    const from = i + mark.length;
    if (!text.startsWith(mark, i) || !opens(mark, from)) continue;
    for (let end = from; (end = text.indexOf(mark, end)) >= 0 && end < i + Reach;) {
      const length = run(text, end);
      // Of a run of marks that is longer, what is inside closes first.
      const close = end + length - mark.length;
      if ((length === mark.length || length === 3) && close > from && !/[\s\\]/.test(text[end - 1]) && !(mark[0] === '_' && isWord(end + length))) {
        return { node: element(tag, {}, ...inline(text.slice(from, close), depth + 1)), end: close + mark.length };
      }

      end += length;
    }
  }

  return null;
}

function link(text, i) {
  Link.lastIndex = i;
  const match = Link.exec(text);
  return match && { node: anchor(match[2], inline(match[1], Depth)), end: Link.lastIndex };
}

function address(text, i) {
  Address.lastIndex = i;
  const found = Address.exec(text)?.[0].replace(/[.,;:!?*_~]+$/, '');
  const url = found?.endsWith(')') && !found.includes('(') ? found.slice(0, -1) : found;
  return url ? { node: anchor(url, [url]), end: i + url.length } : null;
}

const anchor = (href, content) => element('a', { href, title: href, target: '_blank', rel: 'noopener noreferrer' }, ...content);
