/** Text as it is, kept up with one that grows; each line that is finished is told. */
export class PlainView {
  #node = new Text();
  #finished;
  #told = 0;

  constructor(host, finished) {
    host.append(this.#node);
    this.#finished = finished;
  }

  show(text, isWhole) {
    if (text.startsWith(this.#node.data)) this.#node.appendData(text.slice(this.#node.length));
    else this.#node.data = text;
    const end = isWhole ? text.length : text.lastIndexOf('\n') + 1;
    if (end > this.#told) this.#finished(text.slice(this.#told, end));
    this.#told = end;
  }
}
