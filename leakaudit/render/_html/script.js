// Reading needs none of this: it adds sorting, filters, focus for what scrolls, and the place marker of the contents list.
const make = (tag, set, ...inside) => { const made = Object.assign(document.createElement(tag), set); made.append(...inside); return made; };
const bodies = table => [...table.tBodies].map(body => [body, [...body.rows].filter(row => !row.classList.contains('group'))]);
const value = cell => {
  const text = cell.dataset.v ?? cell.textContent.trim(), plain = text.replace(/\u202f/g, '').replace('\u2212', '-');
  return plain !== '' && !isNaN(plain) ? +plain : text;
};
const order = (p, q) => typeof p === typeof q ? (typeof p === 'string' ? p.localeCompare(q, undefined, { numeric: true }) : p - q) : typeof p === 'string' ? -1 : 1;

function sort(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, i) => {
    if (!('key' in head.dataset)) return;
    const button = make('button', { type: 'button', ariaLabel: 'Sort by ' + head.textContent.trim() });
    head.append('\u2060', button);
    button.addEventListener('click', () => {
      const up = head.getAttribute('aria-sort') === 'descending';
      heads.forEach(other => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      for (const [body, rows] of bodies(table)) {
        rows.forEach(row => row.classList.remove('next'));
        body.append(...rows.sort((a, b) => order(value(a.cells[i]), value(b.cells[i])) * (up ? 1 : -1)));
      }
    });
  });
}

function filter(table, number) {
  const parts = bodies(table), all = parts.flatMap(([, rows]) => rows);
  if (all.length < 8) return;
  const input = make('input', { type: 'search', id: 'filter-' + number, autocomplete: 'off', spellcheck: false });
  const count = make('output', { ariaLive: 'polite' });
  const words = row => [...row.cells].filter(cell => !cell.classList.contains('drawn')).map(cell => cell.textContent).join(' ');
  const texts = new Map(parts.flatMap(([body, rows]) => {
    const group = body.querySelector('.group')?.textContent ?? '';
    return rows.map(row => [row, (group + ' ' + words(row)).toLowerCase().replace(/\u2212/g, '-')]);
  }));
  const apply = () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    all.forEach(row => { row.hidden = !wanted.every(word => texts.get(row).includes(word)); });
    parts.forEach(([body, rows]) => { body.hidden = rows.every(row => row.hidden); });
    count.textContent = `${all.filter(row => !row.hidden).length} of ${all.length} rows`;
  };
  input.addEventListener('input', apply);
  input.addEventListener('keydown', event => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    input.value = '';
    apply();
  });
  (table.closest('.scroll') ?? table).before(make('p', { className: 'filter' }, make('label', { htmlFor: input.id }, 'Filter rows'), ' ', input, ' ', count));
  apply();
}

document.querySelectorAll('table[data-sort]').forEach((table, number) => { sort(table); filter(table, number); });

const watched = new ResizeObserver(seen => seen.forEach(({ target }) => {
  const over = target.scrollWidth > target.clientWidth + 1;
  if (over) Object.assign(target, { tabIndex: 0, role: 'group', ariaLabel: target.querySelector('caption')?.textContent ?? 'Table' });
  else ['tabindex', 'role', 'aria-label'].forEach(name => target.removeAttribute(name));
}));
document.querySelectorAll('.scroll').forEach(part => watched.observe(part));

const links = [...document.querySelectorAll('.toc a')];
const here = new IntersectionObserver(seen => seen.filter(part => part.isIntersecting).forEach(part => {
  links.forEach(link => link.removeAttribute('aria-current'));
  links.filter(link => link.hash === '#' + part.target.id).forEach(link => {
    link.setAttribute('aria-current', 'location');
    link.closest('ul ul')?.previousElementSibling.setAttribute('aria-current', 'true');
  });
}), { rootMargin: '-10% 0px -80% 0px' });
document.querySelectorAll('main > section').forEach(section => here.observe(section));
