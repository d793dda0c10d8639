// What every screen gets: the client, the settings, words, and ways to move.
import { createContext, useContext } from "./vendor/preact-htm.js";

/**
 * @typedef {object} App
 * @property {import("./lib/authsvc.js").Authsvc} auth
 * @property {Record<string, any>} config answer of /v1/config
 * @property {string} locale
 * @property {Record<string, string>} messages
 * @property {(key: string, params?: Record<string, unknown>) => string} t words for a key
 * @property {(path: string, how?: {state?: object, replace?: boolean}) => void} go moves to another screen
 * @property {() => void} hideQuery drops the query from the address bar
 * @property {(url: string) => void} leave goes to the app or to a provider
 * @property {(text: string) => void} announce says something in the polite live region
 * @property {(locale: string) => Promise<void>} setLocale
 */

export const AppContext = createContext(/** @type {any} */ (null));

/** @returns {App} */
export const useApp = () => useContext(AppContext);
