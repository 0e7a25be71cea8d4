// Follows the server: whether it is ready, which models it has, what it measures, and the key that it may want.
import * as api from './api.js';
import { Charts } from './charts.js';
import { byId, element, sleep } from './dom.js';
import * as store from './store.js';

let keyGiven = null;

/** For as long as the page is seen: until the server is ready, then its metrics, and again when it went away. */
export async function watch(settings) {
  const charts = new Charts(byId('charts'));
  byId('model').addEventListener('change', event => settings.set('model', event.target.value));
  for (let isReady = false; ; await sleep(1000)) {
    while (document.hidden) await new Promise(resolve => document.addEventListener('visibilitychange', resolve, { once: true }));
    try {
      if (!isReady) {
        // An engine that has failed may have others beside it: what there is can be used all the same.
        const trouble = await api.health().then(() => '', error => error.message);
        showModels(await api.models(), settings);
        notice(trouble);
        isReady = true;
      }

      charts.add(await api.metrics());
    } catch (error) {
      isReady = false;
      if (error.status === 401) await askKey(error.message);
      else notice(error.message);
    }
  }
}

/** Says something above the messages; an empty text takes it away. */
export function notice(text) {
  byId('notice').textContent = text;
  byId('notice').hidden = !text;
}

/** Asks for the API key; ends when one was given. */
export function askKey(reason) {
  const form = byId('key-form');
  byId('key-reason').textContent = reason;
  form.hidden = false;
  byId('key').focus();
  return keyGiven ??= new Promise(resolve => form.addEventListener('submit', event => {
    event.preventDefault();
    store.setKey(byId('key').value.trim());
    form.hidden = true;
    keyGiven = null;
    resolve();
  }, { once: true }));
}

function showModels(models, settings) {
  byId('model').replaceChildren(...models.map(({ id, max_model_len: context }) => element('option', { value: id, title: `Context of ${context} tokens` }, id)));
  if (!models.some(model => model.id === settings.values.model)) settings.set('model', models[0]?.id);
  byId('model').value = settings.values.model;
}
