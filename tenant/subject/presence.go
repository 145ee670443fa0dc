package subject

// Presence is where the roles tell each other, within the platform's account, which users of an
// account came or went. No tenant imports it.
func Presence(account string) string { return presencePrefix + account }

// AllPresence is Presence for all accounts.
const AllPresence = presencePrefix + "*"

const presencePrefix = "presence."

// ParsePresence returns the account of a subject that Presence made.
func ParsePresence(s string) (account string, ok bool) {
	if len(s) < len(presencePrefix) || s[:len(presencePrefix)] != presencePrefix {
		return "", false
	}
	account = s[len(presencePrefix):]
	return account, ValidAccount(account)
}
