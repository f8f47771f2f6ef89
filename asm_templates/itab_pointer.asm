;! title    = "call of a value method through an interface that holds a pointer"
;! heap     = "iface"
;! types    = "*main.T"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.26", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Function and method calls"

; The dynamic type is *T and the method belongs to T. The itab for *T is another one than that for T,
; with another type and hash, and its slot leads to the same wrapper: see itab_wrapper, also for the
; releases in between.

{% import "go/wrapper.asm" as go %}
body:                                   ; rax = itab of *T, rbx = the pointer
{% if abi == "register" %}
        mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
site:   call rcx
{% else %}
        mov  rdx, [rax + 24]            ; itab.fun[0]
        mov  [rsp], rbx
site:   call rdx
        mov  eax, [rsp + 8]
{% endif %}

func "main.(*T).Id":
{{ go.calling("main.T.Id") }}

func "main.T.Id":
{% if abi == "stack" %}
        mov  eax, [rsp + 8]             ; [rsp + 8] = T
        mov  [rsp + 16], eax
{% endif %}
        ret                             ; eax = T
