// Begins the page: reads what the document says of its address, builds what the views share, and draws.
import { render } from 'preact';
import { Api } from './api.ts';
import { App } from './app.tsx';
import { LiveFeed } from './live-feed.ts';
import { ServicesContext } from './services.ts';
import { applyTheme, themeIn } from './theme.ts';
import './style.css';

const root = document.getElementById('app');
const spoken = document.getElementById('spoken');
if (!root || !spoken) throw new Error('the document has no place for the page');

applyTheme(themeIn(localStorage));
const api = new Api(sessionStorage, document.baseURI);
const listed = document.querySelector<HTMLMetaElement>('meta[name="tideway-origins"]')?.content ?? '';
const services = {
  api,
  feed: new LiveFeed(api),
  address: { base: document.baseURI, origins: new Set(listed.split(' ')) },
  say: (text: string) => {
    spoken.textContent = text;
  },
};
render(
  <ServicesContext.Provider value={services}>
    <App />
  </ServicesContext.Provider>,
  root,
);
