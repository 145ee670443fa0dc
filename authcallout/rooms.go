package authcallout

import (
	"slices"
	"strings"

	"parley/tenant"
)

// splitToken takes the token field apart: [JWT][;rooms=r1,r2,…]. Without the suffix rooms is
// nil, which asks for the latest active; with an empty list it names none.
func splitToken(field tenant.Secret) (token tenant.Secret, rooms []tenant.RoomID, r *refusal) {
	text, suffix, ok := strings.Cut(field.Reveal(), ";")
	token = tenant.Secret(text)
	if !ok {
		return token, nil, nil
	}
	list, ok := strings.CutPrefix(suffix, "rooms=")
	if !ok {
		return token, nil, refuseRooms
	}
	rooms = make([]tenant.RoomID, 0, tenant.MaxListedRooms)
	if list == "" {
		return token, rooms, nil
	}
	for s := range strings.SplitSeq(list, ",") {
		room, err := tenant.ParseRoomID("rooms", s)
		switch {
		case err != nil:
			return token, nil, refuseRooms
		case slices.Contains(rooms, room):
		case len(rooms) == tenant.MaxListedRooms:
			return token, nil, refuseManyRooms
		default:
			rooms = append(rooms, room)
		}
	}
	return token, rooms, nil
}
