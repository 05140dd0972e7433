/** The operator console; loaded only when it is opened. */
export { Console } from './components/Console';
