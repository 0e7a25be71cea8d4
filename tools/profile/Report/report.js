// A dot's figures beside the pointer at once; without script the browser shows its title after a while.
const tip = document.getElementById('tip');
for (const dot of document.querySelectorAll('.dot')) {
  const text = dot.querySelector('title').textContent;
  dot.querySelector('title').remove();
  dot.setAttribute('aria-label', text);
  const show = (x, y) => {
    tip.textContent = text;
    tip.style.display = 'block';
    tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - tip.offsetWidth - 4)) + 'px';
    tip.style.top = Math.max(4, Math.min(y + 12, innerHeight - tip.offsetHeight - 4)) + 'px';
  };
  const hide = () => { tip.style.display = 'none'; };
  dot.addEventListener('pointermove', event => show(event.clientX, event.clientY));
  dot.addEventListener('focus', () => { const box = dot.getBoundingClientRect(); show(box.right, box.bottom); });
  dot.addEventListener('pointerleave', hide);
  dot.addEventListener('blur', hide);
}
