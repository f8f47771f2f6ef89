;! title    = "value method through an interface, by a wrapper that jumps to it"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27"], targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: wrappers"

; What itab_wrapper would be if the wrapper did not stay: it checks the receiver, loads the copy and
; jumps, and the method returns to the caller. The register ABI allows it, since the copy goes where the
; pointer was. There is no frame and so no stack to check.

body:                                   ; rax = itab, rbx = data
        mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
site:   call rcx

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
;! part nil-check
        test rax, rax
        je   nil
;! end
;! part copy
        mov  eax, [rax]                 ; the copy of the receiver
;! end
        jmp  "main.T{{ type.index }}.Id"
;! part nil-check
nil:    call "runtime.panicwrap"
        nop
;! end
{% endfor %}

{% for type in types %}
func "main.T{{ type.index }}.Id":
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

;! note what-if: Go's wrapper of a value method makes a frame and calls, as in itab_wrapper
