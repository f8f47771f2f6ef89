;! title    = "interface call as HotSpot makes it where one type comes by: an inline cache in the code"
;! heap     = "func"
;! types    = "main.T"
;! methods  = ["klass"]
;! params   = { go = ["1.27"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: other languages; OpenJDK 17, x86_64.ad, MachUEPNode, and CompiledIC"

; The call is direct, to the one method that was met, with the class that was met in rax. Who compares is the method, in
; front of its own entry; calls whose target is known enter behind that. Another class goes to a function of the
; runtime, which links the call anew: to another method, or to the stub of hotspot_stub for good.

body:                                   ; rax = the object
        mov  rsi, rax
        lea  rax, ["main.(*T).klass"]
site:   call "T::id, unverified"

func "T::id, unverified":
        mov  r10, [rsi]                 ; the class
        cmp  rax, r10
        jne  "ic_miss"
        mov  eax, [rsi + 8]             ; the verified entry
        add  eax, 1
        ret
func "ic_miss":                         ; no other class comes by
        ud2

data "main.(*T).klass":
        dq   0
