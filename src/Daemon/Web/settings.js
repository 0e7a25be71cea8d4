// The form of settings: its fields are named as the API's are; those left empty are not sent.
import * as store from './store.js';

const CompletionTokens = 512; // the API's own default would be 16

export class Settings {
  #form;
  values = store.settings();

  constructor(form) {
    this.#form = form;
    for (const field of this.#fields()) field.value = this.values[field.name] ?? '';
    form.addEventListener('input', () => this.#keep());
    form.addEventListener('submit', event => event.preventDefault());
    form.addEventListener('reset', () => setTimeout(() => this.#keep()));
  }

  /** Shows what is the case where a field is left empty. */
  expect(mode) {
    this.#form.elements.max_tokens.placeholder = mode === 'completion' ? CompletionTokens : 'no limit';
  }

  /** Keeps a value that has no field in the form. */
  set(name, value) {
    this.values[name] = value;
    store.setSettings(this.values);
  }

  /** What a request says beside its messages or prompt. */
  request(mode) {
    const sampling = mode === 'completion' ? { max_tokens: CompletionTokens } : {};
    for (const field of this.#fields()) if (field.type === 'number' && field.value !== '') sampling[field.name] = field.valueAsNumber;
    const stops = (this.values.stop ?? '').split('\n').filter(Boolean).map(text => text.replaceAll('\\n', '\n').replaceAll('\\t', '\t'));
    if (stops.length > 0) sampling.stop = stops;
    return { mode, model: this.values.model, system: this.values.system, sampling };
  }

  #fields() {
    return [...this.#form.elements].filter(field => field.name);
  }

  #keep() {
    for (const field of this.#fields()) this.values[field.name] = field.value;
    store.setSettings(this.values);
  }
}
