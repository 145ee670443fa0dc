package termchat

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestModerationCommands(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{ // "": refused before it is sent
		"/create den":               `create {"room":"den"}`,
		"/create den open":          `create {"kind":"open","room":"den"}`,
		"/invite bob":               `invite {"room":"board","user":"bob"}`,
		"/invite @bob moderator":    `invite {"role":"moderator","room":"board","user":"bob"}`,
		"/kick bob too loud":        `kick {"reason":"too loud","room":"board","user":"bob"}`,
		"/ban bob":                  `ban {"room":"board","user":"bob"}`,
		"/ban bob 24h spam and ads": `ban {"reason":"spam and ads","room":"board","seconds":86400,"user":"bob"}`,
		"/ban bob spam":             `ban {"reason":"spam","room":"board","user":"bob"}`,
		"/unban bob":                `unban {"room":"board","user":"bob"}`,
		"/mute bob 90m":             `mute {"room":"board","seconds":5400,"user":"bob"}`,
		"/unmute bob":               `unmute {"room":"board","user":"bob"}`,
		"/role bob owner":           `role {"role":"owner","room":"board","user":"bob"}`,
		"/role bob":                 "",
		"/topic All of us":          `settings {"room":"board","title":"All of us"}`,
		"/topic":                    "",
		"/freeze":                   `freeze {"on":true,"room":"board"}`,
		"/unfreeze":                 `freeze {"on":false,"room":"board"}`,
		"/notify mentions":          `notify {"level":"mentions","room":"board"}`,
		"/block bob":                `block {"on":true,"user":"bob"}`,
		"/unblock bob":              `block {"on":false,"user":"bob"}`,
		"/kick":                     "",
	} {
		command, arg, _ := strings.Cut(line, " ")
		m, err := parseModeration("board", command, arg)
		got := ""
		if err == nil {
			body, err := json.Marshal(m.body)
			if err != nil {
				t.Fatal(err)
			}
			got = m.op + " " + string(body)
		}
		if got != want {
			t.Errorf("%s: got %s (%v), want %s", line, got, err, want)
		}
	}
}
