/** The handbook (`docs/*.md` of the repository, built in): one page per reader, `/docs` lists them. In English only. */
import { marked } from 'marked';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Mark, useScreen } from '../ui/controls';
import './docs.css';

const FILES = import.meta.glob<string>('../../../docs/*.md', { query: '?raw', import: 'default' });
const NAMES = Object.keys(FILES).map((path) => path.replace(/^.*\/|\.md$/g, ''));
const READERS = ['participant', 'facilitator', 'researcher', 'organiser', 'operator', 'developer'];

/** Names in the order of the readers, everything else after them. */
const sorted = [...READERS.filter((name) => NAMES.includes(name)), ...NAMES.filter((name) => !READERS.includes(name)).sort()];

export default function DocsPage({ name }: { name: string }) {
  const known = NAMES.find((one) => one.toLowerCase() === name.toLowerCase());
  const [html, setHtml] = useState<string | null>(null);
  const screen = useScreen(t('docs.title'));
  useEffect(() => {
    if (known === undefined) return;
    void FILES[`../../../docs/${known}.md`]?.().then(async (text) => setHtml(await marked.parse(text)));
  }, [known]);
  return (
    <div class="page">
      <header class="topbar">
        <a class="home" href="/docs">
          <Mark />
        </a>
      </header>
      <div class="docs">
        <nav aria-label={t('docs.title')}>
          <ul>
            {sorted.map((one) => (
              <li key={one}>
                <a href={`/docs/${one}`} aria-current={one === known ? 'page' : undefined}>
                  {title(one)}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <main class="docs-text" dir="ltr" lang="en" data-testid="docs">
          {known === undefined ? (
            <>
              <h1 {...screen}>{t('docs.title')}</h1>
              <p class="lead">{sorted.length > 0 ? t('docs.choose') : t('notFound.title')}</p>
            </>
          ) : html === null ? (
            <p class="muted">{t('loading')}</p>
          ) : (
            // The text is the repository's own, built in; links between its files become pages.
            <div onClick={follow} dangerouslySetInnerHTML={{ __html: html }} />
          )}
        </main>
      </div>
    </div>
  );
}

function title(name: string): string {
  const words = name.toLowerCase().replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A link to `other.md` opens that page here. */
function follow(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  const file = /^(?:\.\/|docs\/)?([\w-]+)\.md(#.*)?$/.exec(link?.getAttribute('href') ?? '');
  if (!file) return;
  event.preventDefault();
  location.assign(`/docs/${file[1]}${file[2] ?? ''}`);
}
