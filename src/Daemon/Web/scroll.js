// Keeps the end of what grows in sight, as long as that is where the reader is.

/** @param button Brings the reader back to the end; shown when he is elsewhere. */
export function followEnd(scroller, content, button) {
  let [follows, top] = [true, 0];
  const toEnd = () => { scroller.scrollTop = scroller.scrollHeight; };
  scroller.addEventListener('scroll', () => {
    const isAtEnd = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop < 4;
    // A step up, however small, is the reader's; a step down counts when it reaches the end.
    if (isAtEnd) follows = true;
    else if (scroller.scrollTop < top) follows = false;
    top = scroller.scrollTop;
    button.hidden = follows;
  }, { passive: true });
  const observer = new ResizeObserver(() => { if (follows) toEnd(); });
  observer.observe(scroller);
  observer.observe(content);
  const follow = () => {
    follows = true;
    button.hidden = true;
    toEnd();
  };
  button.addEventListener('click', follow);
  return follow;
}
