package inventory

// placedHost is a host, its role and the path of its mapping in the file.
type placedHost struct {
	*Host
	role string
	path string
}

// places lists the hosts as the file has them: master, slaves, registry.
func (inv *Inventory) places(src *source) []placedHost {
	var places []placedHost
	list := func(role, path string, hosts Hosts) {
		for i := range hosts {
			at := item(path, i)
			if !src.given(at) {
				at = path // one host, not in a list
			}
			places = append(places, placedHost{&hosts[i], role, at})
		}
	}
	list(RoleMaster, "master", inv.Master)
	list(RoleSlave, "slaves", inv.Slaves)
	return append(places, placedHost{&inv.Registry.Host, RoleRegistry, "registry"})
}
