;! title    = "interface call through an inline cache that fills itself: its cell is data"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27"], targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: inline caches"

; An engine patches the type that it met and the method that it led to into the code of the call. No code changes
; here, and none has to: both stand in a cell of data, which a miss fills anew. That costs a load for the
; comparison and one for the call, and saves the flush of the code that a patch makes. With one type the cell is
; right from the second call on; with types in turn it is always wrong.

body:                                   ; rax = itab, rbx = data
        cmp  rax, ["main.cell"]
site:   jne  miss
        mov  rax, rbx
        call ["main.cell" + 8]
        jmp  done
miss:   mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  ["main.cell"], rax         ; what a patch would write into the code
        mov  ["main.cell" + 8], rcx
        mov  rax, rbx
        call rcx
done:

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

data "main.cell":
        dq   0, 0                       ; no type yet

;! note no Go compiler makes an inline cache
