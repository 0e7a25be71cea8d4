// The messages of a conversation: their text, what was measured, and what can be done with them.
import { copy, element, grow } from './dom.js';
import { MarkdownView, copyCode } from './markdown.js';
import { PlainView } from './plain.js';
import { statsOf } from './stats.js';
import { answerOf, split } from './thinking.js';

/** The list of messages. Actions: regenerate(message), resend(message, text), complete(message). */
export class MessageList {
  #host;
  #live;
  #actions;
  #views = new Map();

  constructor(host, live, actions) {
    [this.#host, this.#live, this.#actions] = [host, live, actions];
    copyCode(host);
  }

  show({ messages, mode }) {
    // Those that are shown already stay as they are.
    const known = mode === this.#host.dataset.mode ? this.#views : new Map();
    this.#views = new Map(messages.map(message => [
      message, known.get(message) ?? new MessageView(message, mode === 'chat', this.#actions, text => this.#tell(text))]));
    this.#live.replaceChildren();
    this.#host.dataset.mode = mode;
    this.#host.replaceChildren(...[...this.#views.values()].map(view => view.root));
  }

  /** Draws a message that changed, when the next frame is drawn; nothing when another conversation is shown. */
  update(message) {
    this.#views.get(message)?.update();
  }

  /** Screen readers read each part of an answer once, when it is finished. */
  #tell(text) {
    this.#live.append(element('p', {}, text));
    while (this.#live.childElementCount > 10) this.#live.firstChild.remove();
  }
}

class MessageView {
  #message;
  #actions;
  #frame = 0;
  #rest = 0;
  #text = element('div', { className: 'text' });
  #stats = element('span', { className: 'stats' });
  #error = element('div', { className: 'error', hidden: true });
  #thoughts = null;
  #thinking;
  #answer;

  constructor(message, isChat, actions, tell) {
    [this.#message, this.#actions] = [message, actions];
    const isUser = message.role === 'user';
    const who = isUser ? (isChat ? 'You' : 'Text') : message.model || 'Answer';
    const isFormatted = isChat && !isUser;
    this.root = element('article', { className: `message ${message.role}`, ariaLabel: who }, element('h2', {}, who));
    if (isFormatted) this.root.append(this.#makeThoughts());
    this.root.append(this.#text, this.#error, element('footer', {}, this.#stats, element('span', { className: 'actions' },
      this.#button('Copy', event => copy(isFormatted ? answerOf(message.text) : message.text, event.target)),
      isUser ? this.#button('Edit', () => this.#edit()) : this.#button('Regenerate', () => actions.regenerate(message)))));
    // What was finished before it was shown is not read out.
    let isShown = false;
    this.#answer = new (isFormatted ? MarkdownView : PlainView)(this.#text, text => isShown && tell(text));
    this.#draw();
    isShown = true;
  }

  /** At most once a frame, and so that drawing takes a fifth of the time however long the text gets. */
  update() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const start = performance.now();
      if (this.#message.running && start < this.#rest) {
        this.update();
        return;
      }

      this.#draw();
      void this.root.offsetHeight; // the layout of the page is part of what it takes
      const end = performance.now();
      this.#rest = end + 4 * (end - start);
    });
  }

  #draw() {
    const { text, running, error } = this.#message;
    const { thinking, answer, isThinking } = this.#thoughts ? split(text) : { answer: text };
    if (this.#thoughts) {
      this.#thoughts.hidden = !thinking;
      this.#thoughts.firstChild.textContent = isThinking && running ? 'Thinking …' : 'Thoughts';
      if (this.#thoughts.open) this.#thinking.show(thinking, !isThinking || !running);
    }

    this.#answer.show(answer, !running);
    this.root.ariaBusy = String(Boolean(running));
    [this.#stats.textContent, this.#stats.title] = statsOf(this.#message);
    if (error && this.#error.hidden) this.#fail(error);
  }

  /** What a model thinks is folded away, and drawn when it is unfolded. */
  #makeThoughts() {
    const text = element('div', { className: 'text' });
    this.#thinking = new MarkdownView(text);
    this.#thoughts = element('details', { hidden: true }, element('summary'), text);
    this.#thoughts.addEventListener('toggle', () => this.update());
    return this.#thoughts;
  }

  #fail(error) {
    this.#error.hidden = false;
    this.#error.role = 'alert';
    this.#error.append(element('p', {}, error.text), error.code === 'no_chat_template'
      ? this.#button('Complete the text instead', () => this.#actions.complete(this.#message))
      : this.#button('Try again', () => this.#actions.regenerate(this.#message)));
  }

  #edit() {
    const area = element('textarea', { value: this.#message.text, ariaLabel: 'Message' });
    const close = () => {
      editor.replaceWith(this.#text);
      this.root.classList.remove('edited');
      this.root.querySelector('button').focus();
    };
    const send = () => this.#actions.resend(this.#message, area.value);
    const editor = element('div', { className: 'editor' }, area, this.#button('Send', send), this.#button('Cancel', close));
    area.addEventListener('input', () => grow(area));
    area.addEventListener('keydown', event => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      } else if (event.key === 'Escape') {
        event.stopPropagation();
        close();
      }
    });
    this.#text.replaceWith(editor);
    this.root.classList.add('edited');
    grow(area);
    area.focus();
  }

  #button(label, onclick) {
    return element('button', { type: 'button', onclick }, label);
  }
}
