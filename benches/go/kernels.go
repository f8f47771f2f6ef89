package main

func byPointer(id uint32) Mather  { return &ByPointer{id} }
func byItsValue(id uint32) Mather { return ByValue{id} }
func small(id uint32) Mather      { return Small{id} }
func texted(id uint32) Mather     { return Texted{id, "test"} }
func smallTexted(id uint32) Mather {
	return SmallTexted{id, "test"}
}
func both(id uint32) Mather      { return Both{ByValue{id}} }
func values(id uint32) Ider      { return V{id} }
func smallValues(id uint32) Ider { return U{id} }
func guarded(id uint32) Ider     { return &G{id} }
func pointers(id uint32) Ider    { return &W{id} }

func embedsPointer(id uint32) Adding {
	return &EmbedsPointer{uint64(id), &Calculator{id}}
}
func embedsValue(id uint32) Adding {
	return &EmbedsValue{uint64(id), Calculator{id}}
}
func embedsInterface(id uint32) Adding {
	return &EmbedsInterface{uint64(id), &Calculator{id}}
}
func embedsDirect(id uint32) Adding { return EmbedsDirect{&Calculator{id}} }

func one(uint) uint64 { return 1 }

// Each kernel bears the name of the scenario that it is.
// Every loop is written out: one that took its body as a function would time that call, too.
var kernels = []kernel{
	{"inline", fillT, inline, idAndOne},
	{"direct_call", fillT, directCall, idAndOne},
	{"ptr_method", fillT, ptrMethod, idAndOne},
	{"value_method", fillV, valueMethod, idAndOne},
	{"method_direct", fillT, methodDirect, id},
	{"method_inline", fillT, methodInline, id},
	{"method_iface", fillPair, methodIface, id},
	{"method_iface[method=idInline]", fillPair, methodIfaceInline, id},
	{"pass_iface", fillReceiver, passIface, idAndKind},
	{"prologue", fillT, prologue, id},
	{"prologue[check=false]", fillT, prologueUnchecked, id},
	{"itab_call", fillI(1, true), itabCall, idAndKind},
	{"itab_call[targets=2]", fillI(2, true), itabCall, idAndKind},
	{"itab_call[targets=4]", fillI(4, true), itabCall, idAndKind},
	{"itab_call[targets=16]", fillI(16, true), itabCall, idAndKind},
	{"itab_call[order=random,targets=2]", fillI(2, false), itabCall, idAndKind},
	{"itab_call[order=random,targets=4]", fillI(4, false), itabCall, idAndKind},
	{"itab_call[order=random,targets=16]", fillI(16, false), itabCall, idAndKind},
	{"itab_wrapper", fillWith(smallValues), itabCall, idAndOne},
	{"itab_wrapper[method=called]", fillWith(values), itabCall, idAndOne},
	{"itab_pointer", fillWith(pointers), itabCall, id},
	{"guard", fillWith(guarded), guard, idAndOne},
	{"func_value", fillT, funcValue, id},
	{"func_value[holds=pointer_method]", fillT, funcValuePointer, id},
	{"func_value[holds=value_method]", fillV, funcValueValue, id},
	{"closure", fillF(literal), closure, idAndOne},
	{"closure[holds=method_value]", fillF(smallMethodValue), closure, idAndOne},
	{"closure[holds=method_value,method=called]", fillF(methodValue), closure, idAndOne},
	{"method_value", fillF(smallPointerValue), closure, idAndOne},
	{"method_value[method=called]", fillF(pointerValue), closure, idAndOne},
	{"method_table", fillI(1, true), itabCall, idAndKind},
	{"method_table[width=64]", fillWide, lastOf64, idAndOne},
	{"func_guard", fillT, funcGuard, id},
	{"dictionary_call", fillT, dictionaryCall, id},
	{"dictionary_call[shape=value]", fillV, dictionaryCallOfValue, id},
	{"dictionary_call[caller=loop]", fillT, dictionaryLoop, id},
	{"dictionary_call[caller=loop,shape=value]", fillV, dictionaryLoopOfValues, id},

	{"add_call", nil, addFunction, fortyTwo},
	{"add_call[call=two_results]", nil, addTwoResults, fortyTwo},
	{"add_call[call=pointer]", nil, addPointer, fortyTwo},
	{"add_call[call=inferred]", nil, addInferred, fortyTwo},
	{"add_call[call=deref]", nil, addDeref, fortyTwo},
	{"iface_add", fillMather(small), ifaceAdd, fortyTwo},
	{"iface_add[calls=Sub]", fillMather(small), ifaceSub, fortyTwo},
	{"iface_add[method=called]", fillMather(byItsValue), ifaceAdd, fortyTwo},
	{"iface_add[calls=Sub,method=called]", fillMather(byItsValue), ifaceSub, fortyTwo},
	{"iface_add[receiver_is=pointer]", fillMather(byPointer), ifaceAdd, fortyTwo},
	{"iface_add[calls=Sub,receiver_is=pointer]", fillMather(byPointer), ifaceSub, fortyTwo},
	{"iface_strings", fillMather(smallTexted), ifaceAdd, fortyTwo},
	{"iface_strings[method=called]", fillMather(texted), ifaceAdd, fortyTwo},
	{"composition", fillCombo, composition, fortyTwo},
	{"promoted", fillAdd(embedsPointer), promoted, fortyTwo},
	{"promoted[embeds=value]", fillAdd(embedsValue), promoted, fortyTwo},
	{"promoted[embeds=interface]", fillAdd(embedsInterface), promoted, fortyTwo},
	{"promoted[embeds=direct]", fillAdd(embedsDirect), promoted, fortyTwo},

	{"type_switch[strategy=go]", fillCase(2, false), switch2, idAndKind},
	{"type_switch[hit=last,strategy=go]", fillCase(2, true), switch2, idAndKind},
	{"type_switch[cases=4,hit=order,strategy=go]", fillE(4, true), switch4, idAndKind},
	{"type_switch[cases=8,hit=order,strategy=go]", fillE(8, true), switch8, idAndKind},
	{"type_switch[cases=16,hit=order,strategy=go]", fillE(16, true), switch16, idAndKind},
	{"type_switch[cases=8,hit=order,order=random,strategy=go]", fillE(8, false), switch8, idAndKind},
	{"type_switch[cases=16,hit=order,order=random,strategy=go]", fillE(16, false), switch16, idAndKind},
	{"hash_collision[hit=first]", fillCase(1, false), switch1, idAndKind},
	{"switch_scalar", fillUint32, scalarSmall, id},
	{"switch_scalar[size=big]", fillUint32, scalarBig, id},
	{"switch_scalar[has_case=true]", fillUint32, scalarSmallCase, id},
	{"switch_scalar[has_case=true,size=big]", fillUint32, scalarBigCase, id},

	{"int_switch", fillNumber(8, true), numbers8, idAndKind},
	{"int_switch[targets=4]", fillNumber(4, true), numbers4, idAndKind},
	{"int_switch[targets=64]", fillNumber(64, true), numbers64, idAndKind},
	{"int_switch[values=sparse]", fillNumber(8, true), numbers8Apart, idAndKind},
	{"int_switch[targets=64,values=sparse]", fillNumber(64, true), numbers64Apart, idAndKind},
	{"int_switch[order=random]", fillNumber(8, false), numbers8, idAndKind},
	{"int_switch[order=random,values=sparse]", fillNumber(8, false), numbers8Apart, idAndKind},

	{"interface_switch", fillThird, interfaceSwitch, idAndOne},

	{"store_scalar", fillScalar, storeScalar, id},
	{"convert_static", nil, convertStatic, fortyTwo},
	{"convert_scalar", fillScalar, convertScalar, id},
	{"convert_scalar[bits=8]", fillScalar, convertByte, id},
	{"convert_scalar[value=large]", fillScalar, convertLarge, id},
	{"convert_scalar[bits=16]", fillScalar, convertHalf, id},
	{"convert_scalar[bits=64]", fillScalar, convertWide, id},
	{"convert_value", fillValues, convertString, id},
	{"convert_value[kind=slice]", fillValues, convertSlice, id},
	{"convert_value[kind=struct]", fillValues, convertStruct, id},
	{"convert_value[kind=plain]", fillValues, convertPlain, id},
	{"convert_pointer", fillT, convertPointer, id},
	{"convert_zero", nil, convertZero, one},
	{"iface_create", fillT, ifaceCreate, id},
	{"write_barrier", fillT, storePointer, id},
	{"iface_to_eface", fillI(1, true), ifaceToEface, one},
	{"escape", nil, escapeDirect, fortyTwo},
	{"escape[form=value]", nil, escapeValue, fortyTwo},
	{"escape[form=pointer]", nil, escapePointer, fortyTwo},
	{"escape_struct", nil, escapeStructDirect, fortyTwo},
	{"escape_struct[form=value]", nil, escapeStructValue, fortyTwo},
	{"assert_eface", fillE(1, true), assertEface, id},
	{"assert_eface[form=hit-ok]", fillE(1, true), assertEfaceOk, id},
	{"assert_eface[form=miss-ok]", fillE(1, true), assertEfaceMiss, nothing},
	{"assert_iface", fillWith(values), assertIface, id},
	{"assert_iface[form=miss-ok]", fillWith(values), assertIfaceMiss, nothing},
	{"assert_to_interface", fillBoxedV, assertToInterface, one},
	{"assert_between_interfaces", fillMather(both), assertBetween, one},
}
