// What the server is doing, over the last two minutes: drawn from its metrics.
import { element } from './dom.js';

const Window = 120; // seconds
const [Width, Height] = [240, 44];

/** The charts; `add` takes a scrape of /metrics. */
export class Charts {
  #last = null;
  #requests;
  #cache;
  #rate;

  constructor(host) {
    this.#requests = new Chart('Requests', ['running', 'waiting'], value => String(value), 4);
    this.#cache = new Chart('Cache in use', ['cache'], value => `${(value * 100).toFixed(value < 0.1 ? 1 : 0)}%`, 1);
    this.#rate = new Chart('Tokens/s', ['rate'], value => value.toFixed(value < 100 ? 1 : 0), 10);
    host.append(this.#requests.root, this.#cache.root, this.#rate.root);
  }

  add(text) {
    const time = performance.now() / 1000;
    const sum = name => samples(text, `vllm:${name}`).reduce((total, value) => total + value, 0);
    const tokens = sum('generation_tokens_total');
    this.#requests.add(time, [sum('num_requests_running'), sum('num_requests_waiting')]);
    // Of several models the fullest cache is what matters.
    this.#cache.add(time, [Math.max(0, ...samples(text, 'vllm:kv_cache_usage_perc'))]);
    // A server that was started anew counts from zero.
    if (this.#last && tokens >= this.#last.tokens) this.#rate.add(time, [(tokens - this.#last.tokens) / (time - this.#last.time)]);
    this.#last = { time, tokens };
  }
}

function samples(text, name) {
  return text.split('\n').filter(line => line.startsWith(`${name}{`)).map(line => Number(line.slice(line.lastIndexOf(' ') + 1)));
}

class Chart {
  #title;
  #series;
  #format;
  #least;
  #points = [];
  #value = element('output');
  #top = element('span', { className: 'top' });
  #svg = svg('svg', { viewBox: `0 0 ${Width} ${Height}`, preserveAspectRatio: 'none', role: 'img' });
  #lines;

  /** @param least What the height stands for at least. */
  constructor(title, series, format, least) {
    [this.#title, this.#series, this.#format, this.#least] = [title, series, format, least];
    this.#lines = series.map(name => svg('path', { class: `line ${name}` }));
    this.#svg.append(...this.#lines);
    this.root = element('figure', {}, element('figcaption', {}, element('span', {}, title), this.#value), this.#svg, this.#top);
  }

  add(time, values) {
    this.#points.push({ time, values });
    this.#points = this.#points.filter(point => point.time > time - Window);
    const most = nice(Math.max(this.#least, ...this.#points.flatMap(point => point.values)));
    const x = point => (Width * (1 - (time - point.time) / Window)).toFixed(1);
    const y = value => (Height - 1 - (Height - 2) * value / most).toFixed(1);
    this.#lines.forEach((line, i) => {
      // A gap of more than a few seconds is no line: nobody looked then.
      const steps = this.#points.map((point, j) => `${j && point.time - this.#points[j - 1].time < 5 ? 'L' : 'M'}${x(point)} ${y(point.values[i])}`);
      line.setAttribute('d', steps.join(''));
    });
    const now = values.map((value, i) => this.#format(value) + (values.length > 1 ? ` ${this.#series[i]}` : '')).join(', ');
    this.#value.replaceChildren(...values.flatMap((value, i) => [i ? ', ' : '', element('span', { className: this.#series[i] }, this.#format(value)), values.length > 1 ? ` ${this.#series[i]}` : '']));
    this.#top.textContent = this.#format(most);
    this.#svg.setAttribute('aria-label', `${this.#title}, last two minutes: now ${now}, scale to ${this.#format(most)}`);
  }
}

/** The next of 1, 2, 4, 5 and 10 times a power of ten. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].find(step => step * power >= value * 0.999) * power;
}

function svg(tag, attributes) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
