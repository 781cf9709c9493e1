// Reading needs none of this: it adds sorting and the place marker of the contents list.
for (const table of document.querySelectorAll('table[data-sort]')) {
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, i) => { const cell = row.cells[i], text = cell.dataset.v ?? cell.textContent.trim(); return text !== '' && !isNaN(text) ? +text : text; };
  heads.forEach((head, i) => {
    if (!('key' in head.dataset)) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-label', 'Sort by ' + head.textContent.trim());
    head.append(button);
    button.addEventListener('click', () => {
      const up = head.getAttribute('aria-sort') === 'descending';
      heads.forEach(other => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      for (const body of table.tBodies) {
        const rows = [...body.rows].filter(row => !row.classList.contains('group'));
        rows.forEach(row => row.classList.remove('next'));
        rows.sort((a, b) => { const p = value(a, i), q = value(b, i); return (typeof p === typeof q ? (p < q ? -1 : p > q ? 1 : 0) : typeof p === 'string' ? -1 : 1) * (up ? 1 : -1); });
        body.append(...rows);
      }
    });
  });
}
const links = new Map([...document.querySelectorAll('.toc a')].map(link => [link.hash.slice(1), link]));
const watch = new IntersectionObserver(seen => seen.filter(part => part.isIntersecting).forEach(part => {
  links.forEach(link => link.removeAttribute('aria-current'));
  links.get(part.target.id)?.setAttribute('aria-current', 'location');
}), { rootMargin: '-10% 0px -80% 0px' });
document.querySelectorAll('main > section').forEach(section => watch.observe(section));
