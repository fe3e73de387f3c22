/** Whether `text` is an absolute http or https URL, and has a form in UTF-8. */
export function isHttpUrl(text: string): boolean {
	return /^https?:\/\//i.test(text) && text.isWellFormed() && URL.canParse(text);
}
