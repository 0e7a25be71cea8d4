// Models that reason first write <think>…</think> before their answer; some templates have written the first of the two already.
const [Open, Close] = ['<think>', '</think>'];

/** Splits an answer's text, which may still be growing. */
export function split(text) {
  const start = text.length - text.trimStart().length;
  const head = text.slice(start, start + Open.length);
  const from = head === Open ? start + Open.length : start;
  const end = text.indexOf(Close, from);
  if (end >= 0) return { thinking: text.slice(from, end).trim(), answer: text.slice(end + Close.length).trimStart(), isThinking: false };
  if (head === Open) return { thinking: text.slice(from).trimStart(), answer: '', isThinking: true };
  return { thinking: '', answer: head && Open.startsWith(head) ? '' : text, isThinking: false };
}

export const answerOf = text => split(text).answer;
