// Light or dark: as the system says, until the switch says otherwise. Runs before the page is drawn, so that no wrong colour flashes up.
const system = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (localStorage.getItem('weft.theme') ?? (system.matches ? 'dark' : 'light')) === 'dark';
const applyTheme = () => { document.documentElement.dataset.theme = isDark() ? 'dark' : 'light'; };

applyTheme();
system.addEventListener('change', applyTheme);
addEventListener('DOMContentLoaded', () => document.getElementById('theme').addEventListener('click', () => {
  const wanted = isDark() ? 'light' : 'dark';
  if ((wanted === 'dark') === system.matches) localStorage.removeItem('weft.theme');
  else localStorage.setItem('weft.theme', wanted);
  applyTheme();
}));
