// Markdown's blocks. A block that another one follows is final: what comes later in the text changes nothing of it.

const Fence = /^ {0,3}(`{3,}|~{3,}) *([^`]*)$/;
const Heading = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/;
const Rule = /^ {0,3}([-*_])(?: *\1){2,} *$/;
const Item = /^( *)([-*+]|\d{1,9}[.)])( +|$)/;
const Quote = /^ {0,3}> ?/;
const Divider = /^[ |:-]+$/;

/** Splits text into blocks: { kind, start (offset in the text), lines, … }. */
export function blocks(text) {
  const result = [];
  let [open, start] = [null, 0];
  const begin = (kind, lines, more) => {
    open = { kind, start, lines, ...more };
    result.push(open);
  };
  for (const line of text.split('\n')) {
    if (open?.kind === 'code') {
      if (closes(line, open.fence)) open = null;
      else open.lines.push(line.slice(Math.min(open.indent, leading(line))));
    } else if (!line.trim()) {
      if (open?.kind === 'list') open.lines.push('');
      else open = null;
    } else if (!continues(open, line)) {
      read(line, open, begin);
      if (['heading', 'rule'].includes(open.kind)) open = null;
    }

    start += line.length + 1;
  }

  return result;
}

/** The contents of a list's items. */
export function items(lines) {
  const result = [];
  const base = leading(lines[0]);
  let indent = 0;
  for (const line of lines) {
    const match = leading(line) < base + 2 ? Item.exec(line) : null;
    if (match) {
      indent = match[1].length + match[2].length + Math.min(Math.max(match[3].length, 1), 4);
      result.push([line.slice(indent)]);
    } else {
      result.at(-1).push(line.slice(Math.min(indent, leading(line))));
    }
  }

  return result.map(content => content.join('\n').trimEnd());
}

/** The cells of a table's line. */
export const cells = line => line.trim().replace(/^\||\|$/g, '').split('|').map(cell => cell.trim());

/** Takes a line into the open block, where it belongs there. */
function continues(open, line) {
  switch (open?.kind) {
    case 'list': {
      const item = Item.exec(line);
      const isLazy = open.lines.at(-1) && !starts(line);
      if (!(leading(line) >= 2 || isLazy || (item && isOrdered(item) === open.isOrdered && !Rule.test(line)))) return false;
      break;
    }

    case 'quote':
      if (!Quote.test(line)) return false;
      line = line.replace(Quote, '');
      break;
    case 'table':
      if (!line.includes('|')) return false;
      break;
    case 'paragraph':
      if (open.lines.length === 1 && open.lines[0].includes('|') && line.includes('|') && line.includes('-') && Divider.test(line)) open.kind = 'table';
      else if (starts(line)) return false;
      break;
    default: return false;
  }

  open.lines.push(line);
  return true;
}

/** Begins the block that a line begins. */
function read(line, open, begin) {
  let match;
  if ((match = Fence.exec(line))) begin('code', [], { fence: match[1], indent: leading(line), language: match[2].trim().split(' ')[0] });
  else if ((match = Heading.exec(line))) begin('heading', [(match[2] ?? '').trim().replace(/ #+$/, '')], { level: match[1].length });
  else if (Rule.test(line)) begin('rule', []);
  else if ((match = Item.exec(line))) begin('list', [line], { isOrdered: isOrdered(match), number: parseInt(match[2], 10) });
  else if (Quote.test(line)) begin('quote', [line.replace(Quote, '')]);
  else begin('paragraph', [line.trimStart()]);
}

const starts = line => [Fence, Heading, Rule, Item, Quote].some(pattern => pattern.test(line));
const isOrdered = item => item[2].length > 1;
const leading = line => line.length - line.trimStart().length;
const closes = (line, fence) => line.trim().length >= fence.length && leading(line) < 4 && line.trim() === fence[0].repeat(line.trim().length);
