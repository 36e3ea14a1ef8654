/** Which page this address is: one shell for all of them, each page its own bundle. */
import { render } from 'preact';
import { lazy, Suspense } from 'preact/compat';
import './ui/base.css';
import { isLanguage, setLanguage, t } from './i18n';
import { read } from './net/tokens';
import { Announcer } from './ui/controls';
import { Toasts } from './ui/toast';

const Join = lazy(() => import('./lobby/page'));
const Monitor = lazy(() => import('./monitor/page'));
const Review = lazy(() => import('./review/page'));
const Organise = lazy(() => import('./organise/page'));
const Outcome = lazy(() => import('./outcome/page'));
const Survey = lazy(() => import('./survey/page'));
const Docs = lazy(() => import('./docs/page'));

function Page() {
  const path = location.pathname;
  const match = /^\/d\/([^/]+)\/(join|monitor|review|outcome|survey)\/?$/.exec(path);
  const id = decodeURIComponent(match?.[1] ?? '');
  switch (match?.[2]) {
    case 'join':
      return <Join id={id} />;
    case 'monitor':
      return <Monitor id={id} />;
    case 'review':
      return <Review id={id} />;
    case 'outcome':
      return <Outcome id={id} />;
    case 'survey':
      return <Survey id={id} />;
  }
  const docs = /^\/docs(?:\/([\w-]*))?\/?$/.exec(path);
  if (docs) return <Docs name={docs[1] ?? ''} />;
  return path === '/' ? <Organise /> : <NotFound />;
}

function NotFound() {
  return (
    <main class="notice">
      <h1>{t('notFound.title')}</h1>
      <p>{t('notFound.text')}</p>
    </main>
  );
}

async function start() {
  const kept = read(localStorage, 'parley.language');
  const own = navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage);
  await setLanguage(isLanguage(kept) ? kept : (own ?? 'en'));
  const root = document.getElementById('app');
  if (!root) return;
  render(
    <>
      <Suspense fallback={<main class="notice" aria-busy="true" />}>
        <Page />
      </Suspense>
      <Announcer />
      <Toasts />
    </>,
    root,
  );
}

void start();
